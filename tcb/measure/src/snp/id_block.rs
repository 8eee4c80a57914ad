// SPDX-License-Identifier: Apache-2.0

//! What the owner of an image may sign, so that the firmware launches nothing else under that key (AMD publication 56860,
//! `ID_BLOCK`).

/// The identity of a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdBlock {
    /// What the launch must measure to.
    pub launch_digest: [u8; 48],
    /// Which family of guests it is of, as reports repeat it.
    pub family_id: [u8; 16],
    /// Which image, likewise.
    pub image_id: [u8; 16],
    /// The version of the image, for those who refuse older ones.
    pub guest_svn: u32,
    /// The policy that it must be launched with.
    pub policy: u64,
}

impl IdBlock {
    /// Bytes of an encoded one.
    pub const SIZE: usize = 96;
    /// The version of the format.
    const VERSION: u32 = 1;

    /// What is signed and handed to the firmware.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut block = [0; Self::SIZE];
        let (version, svn, policy) =
            (Self::VERSION.to_le_bytes(), self.guest_svn.to_le_bytes(), self.policy.to_le_bytes());
        let fields: [&[u8]; 6] =
            [&self.launch_digest, &self.family_id, &self.image_id, &version, &svn, &policy];
        let bytes = fields.into_iter().flatten();
        block.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        block
    }
}
