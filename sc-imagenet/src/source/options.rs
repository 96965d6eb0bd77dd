//! How a source is to be read, where that is not plain from what is there.

/// Where the key of a member of a WebDataset shard ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeyEnd {
    /// At the first dot of the file's name, as WebDataset has it: `0.0003.jpg` is field `0003.jpg` of sample `0`.
    #[default]
    FirstDot,
    /// At the last dot: `0.0003.jpg` is the image of sample `0.0003`.
    LastDot,
}

/// How a source is to be read. What is chosen here decides which images have which ids and classes, and is thereby part of
/// [`ImageSource::listing_hash`](crate::ImageSource::listing_hash).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceOptions {
    /// Names of the classes of WebDataset shards that hold numbers, by number; none: numbers are names.
    pub class_names: Vec<String>,
    /// Where keys of WebDataset shards end.
    pub keys: KeyEnd,
}
