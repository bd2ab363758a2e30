//! The identity of a call.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One logical operation of the application: the `n`-th call of a client.
///
/// It depends on the plan alone, never on what happens during a run, so the same call can be followed through every
/// strategy of a comparison.
///
/// ```
/// use squall::record::CallId;
/// let call = CallId::new(17, 3);
/// assert_eq!((call.client(), call.number()), (17, 3));
/// assert_eq!(call.to_string(), "17/3");
/// assert_eq!("17/3".parse(), Ok(call));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(u64);

/// The text is no call: two numbers with a slash between them are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a call is written CLIENT/NUMBER, as in 17/3")]
#[non_exhaustive]
pub struct InvalidCallId;

impl CallId {
    /// The call numbered `number` (from 0) of the client numbered `client` over all groups.
    #[must_use]
    pub const fn new(client: u32, number: u32) -> Self {
        Self((client as u64) << 32 | number as u64)
    }

    /// The call with this number on the wire.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The number that travels on the wire.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Which client made it, counted over all groups.
    #[must_use]
    pub const fn client(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The how-manieth call of its client it is, from 0.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.client(), self.number())
    }
}

impl std::str::FromStr for CallId {
    type Err = InvalidCallId;

    fn from_str(text: &str) -> Result<Self, InvalidCallId> {
        let (client, number) = text.split_once('/').ok_or(InvalidCallId)?;
        match (client.parse(), number.parse()) {
            (Ok(client), Ok(number)) => Ok(Self::new(client, number)),
            _ => Err(InvalidCallId),
        }
    }
}
