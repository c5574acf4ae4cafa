//! Limits of the policy and what a load depends on.

/// Every limit of the policy, with its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of a body that may be buffered to judge it; a larger one is denied on such a route.
    pub body_buffer: usize,
    /// Rows in all files together.
    pub max_rows: usize,
    /// Bytes of one policy file.
    pub max_file: usize,
    /// GraphQL tokens in one document.
    pub graphql_tokens: usize,
    /// Nesting of GraphQL selection sets and values.
    pub graphql_depth: usize,
    /// Operations in one GraphQL batch.
    pub graphql_batch: usize,
    /// Root fields of all operations of one request together.
    pub graphql_fields: usize,
    /// Query parameters or form fields that are read before the request is denied as unreadable.
    pub max_parameters: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            body_buffer: 64 * 1024,
            max_rows: 10_000,
            max_file: 1024 * 1024,
            graphql_tokens: 10_000,
            graphql_depth: 64,
            graphql_batch: 20,
            graphql_fields: 200,
            max_parameters: 1_000,
        }
    }
}

/// What a load depends on besides the files.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    pub settings: Settings,
    /// The configured apps; a row for any other is an error. `None`: not known here.
    pub apps: Option<Vec<String>>,
}
