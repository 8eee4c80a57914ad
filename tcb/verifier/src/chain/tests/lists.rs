// SPDX-License-Identifier: Apache-2.0

//! Revocation lists of the wrong people, at the wrong time, or that say more than is understood.

use alloc::vec;
use alloc::vec::Vec;

use super::world::*;
use crate::Code;
use crate::chain::Revocable;
use crate::policy::Crl;

fn revoking(list: impl FnOnce(&World) -> Vec<Vec<u8>>) -> Vec<Code> {
    after(|world| world.lists = list(world))
}

#[test]
fn whoever_is_revoked_is_refused() {
    let by = |root: &[u8], authority: &[u8]| {
        revoking(|world| vec![world.root.lists(&List::of(root)), world.authority.lists(&List::of(authority))])
    };
    assert_eq!(by(&[], &[]), []);
    assert_eq!(by(&[], &[1, LEAF_SERIAL]), [Code::CertificateRevoked]);
    assert_eq!(by(&[AUTHORITY_SERIAL, 1], &[]), [Code::CertificateRevoked]);
    assert_eq!(by(&[ROOT_SERIAL], &[]), [Code::CertificateRevoked]);
    // Serial numbers are those of the issuer: another's list says nothing about them.
    assert_eq!(by(&[LEAF_SERIAL], &[AUTHORITY_SERIAL, ROOT_SERIAL]), []);
}

#[test]
fn each_authority_has_a_list_of_its_own() {
    assert_eq!(revoking(|world| vec![world.root.lists(&List::of(&[]))]), [Code::CrlMissing]);
    assert_eq!(revoking(|world| vec![world.authority.lists(&List::of(&[]))]), [Code::CrlMissing]);
    assert_eq!(revoking(|_| vec![]), [Code::CrlMissing; 2]);
    // One by somebody else, and one by somebody else of that name.
    let others = |name: &'static str| {
        move |world: &World| {
            vec![world.root.lists(&List::of(&[])), Person::new(name, 8).lists(&List::of(&[]))]
        }
    };
    assert_eq!(revoking(others("Other")), [Code::CrlMissing]);
    assert_eq!(revoking(others("Authority")), [Code::CrlSignatureInvalid, Code::CrlMissing]);
}

#[test]
fn lists_are_current_and_old_ones_revoke_all_the_same() {
    let at = |from, to, revoked: &[u8]| {
        let list = List { from, to, ..List::of(revoked) };
        revoking(|world| vec![world.root.lists(&List::of(&[])), world.authority.lists(&list)])
    };
    assert_eq!(at(NOW, NOW + 1, &[]), []);
    assert_eq!(at(NOW - DAY, NOW, &[]), [Code::CrlExpired]);
    assert_eq!(at(NOW + 1, NOW + DAY, &[]), [Code::CrlNotYetValid]);
    assert_eq!(at(NOW - DAY, NOW, &[LEAF_SERIAL]), [Code::CertificateRevoked, Code::CrlExpired]);
    // A newer list that no longer names it does not undo what an older one says.
    let both = revoking(|world| {
        let old = List { from: NOW - 3 * DAY, to: NOW - DAY, ..List::of(&[LEAF_SERIAL]) };
        let new = world.authority.lists(&List::of(&[]));
        vec![world.root.lists(&List::of(&[])), world.authority.lists(&old), new]
    });
    assert_eq!(both, [Code::CertificateRevoked]);
}

#[test]
fn lists_that_are_not_understood_say_nothing() {
    let unsupported = [Code::CrlUnsupported, Code::CrlMissing];
    let with = |extensions: Vec<u8>, entry_extensions: Vec<u8>| {
        let list = List { extensions, entry_extensions, ..List::of(&[1]) };
        revoking(|world| vec![world.root.lists(&List::of(&[])), world.authority.lists(&list)])
    };
    // Such a list is about some certificates only, or somebody else's.
    let partial = |critical| extension(ISSUING_DISTRIBUTION_POINT, critical, &sequence(&[]));
    let indirect = |critical| extension(CERTIFICATE_ISSUER, critical, &sequence(&[]));
    assert_eq!(with(partial(true), vec![]), unsupported);
    assert_eq!(with(vec![], indirect(true)), unsupported);
    assert_eq!(with(partial(false), indirect(false)), []);
    // The authority may not sign lists.
    let paper = Paper::with(AUTHORITY_SERIAL, vec![authority(None), usage(CERT_SIGN)]);
    assert_eq!(after(|world| world.authority(&paper)), unsupported);
}

#[test]
fn absent_lists_are_accepted_where_the_policy_says_so_and_false_ones_are_not() {
    let accepting = |lists: fn(&World) -> Vec<Vec<u8>>| {
        after(|world| {
            world.crl = Crl::AbsentAccepted;
            world.lists = lists(world);
        })
    };
    assert_eq!(accepting(|_| vec![]), []);
    assert_eq!(accepting(|world| vec![world.root.lists(&List { to: NOW - 1, ..List::of(&[]) })]), []);
    assert_eq!(
        accepting(|world| vec![world.authority.lists(&List { to: NOW - 1, ..List::of(&[LEAF_SERIAL]) })]),
        [Code::CertificateRevoked]
    );
    assert_eq!(
        accepting(|_| vec![Person::new("Root", 8).lists(&List::of(&[]))]),
        [Code::CrlSignatureInvalid]
    );
}

#[test]
fn lists_are_asked_for_as_the_vendor_makes_them() {
    let under = |revocable, change: fn(&mut World)| {
        after(|world| {
            world.profile.revocable = revocable;
            world.lists.clear();
            change(world);
        })
    };
    let nothing: fn(&mut World) = |_| {};
    assert_eq!(under(Revocable::Everyone, nothing), [Code::CrlMissing; 2]);
    assert_eq!(under(Revocable::Authorities, nothing), [Code::CrlMissing]);
    assert_eq!(under(Revocable::WhoeverNamesAList, nothing), []);
    assert_eq!(under(Revocable::Nobody, nothing), []);

    let point = || extension(CRL_DISTRIBUTION_POINTS, false, &sequence(&[]));
    let named = after(|world| {
        world.profile.revocable = Revocable::WhoeverNamesAList;
        world.lists.clear();
        world.authority(&Paper::of_authority().and(point()));
    });
    assert_eq!(named, [Code::CrlMissing]);
    // Naming it twice does not spare it.
    let named = after(|world| {
        world.profile.revocable = Revocable::WhoeverNamesAList;
        world.lists.clear();
        world.leaf(&Paper::of_leaf().and(point()).and(point()));
    });
    assert_eq!(named, [Code::CrlMissing]);
    // A list that is there revokes although nobody named it.
    let there: fn(&mut World) = |world| world.lists.push(world.authority.lists(&List::of(&[LEAF_SERIAL])));
    assert_eq!(under(Revocable::WhoeverNamesAList, there), [Code::CertificateRevoked]);
}
