//! Moving a tenant's state out of Redis and into it, a page at a time. Pages fit together only while nobody writes.

mod export;
mod import;
