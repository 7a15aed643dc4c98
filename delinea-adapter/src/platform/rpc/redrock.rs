//! `RedRock/Query`: SQL-like reads of the tables `User` and `Role`. Not every tenant lets a service user call it, so it stands in
//! only where reports do not serve. Pages are cut by the last id, never by number: a row that comes or goes moves no other.

use serde_json::json;

use super::{
    super::{
        failure::{Failure, Trouble},
        rows::Row,
    },
    Rpc, reports,
};

pub(crate) const QUERY: &str = "RedRock/Query";

/// A table.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Table {
    User,
    Role,
}

impl Table {
    fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Role => "Role",
        }
    }

    /// The column of the name that is unique.
    fn key(self) -> &'static str {
        match self {
            Self::User => "Username",
            Self::Role => "Name",
        }
    }
}

/// A table read from its first id to its last.
pub(crate) struct Query<'a> {
    rpc: &'a Rpc,
    table: Table,
    condition: String,
    after: String,
    ended: bool,
}

impl Rpc {
    /// One row of a query, to see whether queries can be made.
    pub(crate) async fn try_query(&self) -> Result<(), Failure> {
        self.run("SELECT ID FROM User ORDER BY ID", 1).await.map(drop)
    }

    /// The rows of exactly that name, and more: `LIKE` takes `_` and `%` for anything, so whoever asks picks the exact ones.
    pub(crate) async fn query_named(&self, table: Table, name: &str) -> Result<Vec<Row>, Failure> {
        let condition = format!("{} LIKE {}", table.key(), literal(name));
        let mut query = self.query(table, condition);
        let mut rows = Vec::new();
        while let Some(page) = query.next().await? {
            rows.extend(page);
        }
        Ok(rows)
    }

    /// Begins to read a whole table.
    pub(crate) fn query_all(&self, table: Table) -> Query<'_> {
        self.query(table, String::new())
    }

    fn query(&self, table: Table, condition: String) -> Query<'_> {
        Query {
            rpc: self,
            table,
            condition,
            after: String::new(),
            ended: false,
        }
    }

    async fn run(&self, script: &str, size: usize) -> Result<Vec<Row>, Failure> {
        let args = json!({
            "PageNumber": 1, "PageSize": size, "Limit": size, "Caching": self.reports.caching, "SortBy": "", "Ascending": true,
        });
        let result = self
            .client
            .call_for_list(QUERY, &json!({"Script": script, "Args": args}))
            .await?;
        let (rows, _) = reports::rows(result).ok_or(Failure::unavailable(QUERY, Trouble::Incomplete))?;
        Ok(rows)
    }
}

impl Query<'_> {
    /// The next rows; `None` after the last. After a failure the same rows may be asked for again.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Row>>, Failure> {
        if self.ended {
            return Ok(None);
        }
        let mut conditions = Vec::new();
        if !self.after.is_empty() {
            conditions.push(format!("ID > {}", literal(&self.after)));
        }
        if !self.condition.is_empty() {
            conditions.push(self.condition.clone());
        }
        let conditions = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let script = format!("SELECT * FROM {}{conditions} ORDER BY ID", self.table.name());
        let rows = self.rpc.run(&script, self.rpc.reports.page_size).await?;
        let Some(last) = rows.last().map(|row| row.text("ID").to_owned()) else {
            self.ended = true;
            return Ok(None);
        };
        // An order that does not move on would never end.
        if last.is_empty() || last == self.after {
            return Err(Failure::unavailable(QUERY, Trouble::Incomplete));
        }
        self.after = last;
        Ok(Some(rows))
    }
}

/// A text as a script has it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_name_ends_no_literal() {
        assert_eq!(literal("o'neill@x' OR 'a'='a"), "'o''neill@x'' OR ''a''=''a'");
    }
}
