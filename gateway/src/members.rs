//! Groups with their members, as text that is written while it is read: the head of the JSON, the members page by page
//! from identity-service to the socket, the tail. Memory stays flat whatever the group's size. A failure midway breaks
//! the connection off: a body that ended well-formed would be taken for the whole group.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use proto::error::{Details, ErrorReason};
use proto::identity::v1::{StreamMembersRequest, StreamMembersResponse};
use proto::resource::v1::Member;
use scim::Projection;
use serde_json::{Value, json};
use tonic::{Status, Streaming};

use crate::Gateway;
use crate::call::{Call, Deadline, Terms};
use crate::error::cause;
use crate::location::Base;
use crate::schemas::Table;

/// A piece of a body.
pub(crate) enum Part {
    /// Text that is there already.
    Text(String),
    /// The members of a group, asked for when their turn comes. A group that is gone by then has none.
    Members(String),
    /// The members of a group, asked for already.
    Opened(Box<Pages>),
}

/// How members are asked for and shown in one answer.
#[derive(Clone)]
pub(crate) struct Shown {
    gateway: Arc<Gateway>,
    base: Base,
    projection: Projection,
    table: Arc<Table>,
    tenant: String,
}

impl Shown {
    pub(crate) fn of(call: &Call) -> Self {
        let (gateway, base) = (Arc::clone(&call.gateway), call.base.clone());
        Self {
            gateway,
            base,
            projection: call.query.projection.clone(),
            table: Arc::clone(&call.table),
            tenant: call.tenant(),
        }
    }

    /// Asks for a group's members and waits for the first page, so that a failure can still be told by the status.
    pub(crate) async fn open(&self, group_id: String, deadline: Deadline) -> Result<Box<Pages>, Status> {
        let tenant = self.tenant.clone();
        let message = StreamMembersRequest { tenant, group_id };
        let mut stream = self
            .gateway
            .identity
            .stream_members(message, Terms::within(deadline))
            .await?;
        let first = stream.message().await?;
        Ok(Box::new(Pages {
            stream,
            over: first.is_none(),
            first,
            json: MembersJson::default(),
        }))
    }

    /// The body that the parts make, written as fast as it is read.
    pub(crate) fn body(self, parts: impl IntoIterator<Item = Part>) -> Body {
        let parts = parts.into_iter().collect();
        let written = futures_util::stream::try_unfold(Writer { shown: self, parts }, |mut writer| async move {
            match writer.next().await {
                Ok(chunk) => Ok(chunk.map(|chunk| (chunk, writer))),
                Err(status) => {
                    tracing::warn!(
                        cause = cause(&status),
                        "members cannot be read; breaking the answer off"
                    );
                    Err(io::Error::other("the answer broke off"))
                }
            }
        });
        Body::from_stream(written)
    }

    /// A page of members as JSON, each with its address and the attributes that were asked for.
    fn page(&self, page: Vec<Member>) -> Result<Vec<Value>, Status> {
        let mut members = Vec::with_capacity(page.len());
        for mut member in page {
            self.base.locate_member(&mut member);
            let member = serde_json::to_value(member);
            members.push(member.map_err(|_| Status::internal("a member cannot be written as JSON"))?);
        }
        let mut group = json!({ "members": members });
        self.projection.apply(self.table.schemas.group(), &mut group);
        match group["members"].take() {
            Value::Array(members) => Ok(members),
            _ => Ok(Vec::new()),
        }
    }
}

/// The pages of one group's members.
pub(crate) struct Pages {
    stream: Streaming<StreamMembersResponse>,
    first: Option<StreamMembersResponse>,
    json: MembersJson,
    over: bool,
}

impl Pages {
    async fn next(&mut self, shown: &Shown) -> Result<Option<String>, Status> {
        while !self.over {
            let page = match self.first.take() {
                Some(page) => Some(page),
                None => in_time(shown, self.stream.message()).await?,
            };
            let text = match page {
                Some(page) => self.json.page(&shown.page(page.members)?),
                None => {
                    self.over = true;
                    self.json.end()
                }
            };
            if !text.is_empty() {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }
}

/// Writes what remains of a body.
struct Writer {
    shown: Shown,
    parts: VecDeque<Part>,
}

impl Writer {
    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            match self.parts.pop_front() {
                None => return Ok(None),
                Some(Part::Text(text)) => return Ok(Some(text.into())),
                Some(Part::Members(group_id)) => {
                    if let Some(pages) = self.open(group_id).await? {
                        self.parts.push_front(Part::Opened(pages));
                    }
                }
                Some(Part::Opened(mut pages)) => {
                    if let Some(text) = pages.next(&self.shown).await? {
                        self.parts.push_front(Part::Opened(pages));
                        return Ok(Some(text.into()));
                    }
                }
            }
        }
    }

    async fn open(&self, group_id: String) -> Result<Option<Box<Pages>>, Status> {
        match in_time(&self.shown, self.shown.open(group_id, Deadline::default())).await {
            Ok(pages) => Ok(Some(pages)),
            Err(status) => match Details::of(&status) {
                Some(details) if details.reason == ErrorReason::NotFound => Ok(None),
                _ => Err(status),
            },
        }
    }
}

/// The time for a whole request is the time for each page: a large group may take longer, a silent peer may not.
async fn in_time<T>(shown: &Shown, page: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let limit = shown.gateway.settings.request_timeout;
    if limit.is_zero() {
        return page.await;
    }
    let late = |_| Err(Status::deadline_exceeded("no further page of members in time"));
    tokio::time::timeout(limit, page).await.unwrap_or_else(late)
}

/// Writes the attribute `members` after others of an object; nothing at all for a group that has none.
#[derive(Default)]
struct MembersJson {
    begun: bool,
}

impl MembersJson {
    fn page(&mut self, members: &[Value]) -> String {
        let mut text = String::new();
        for member in members {
            text.push_str(if self.begun { "," } else { r#","members":["# });
            text.push_str(&member.to_string());
            self.begun = true;
        }
        text
    }

    fn end(&self) -> String {
        if self.begun { "]".to_owned() } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use http_body::Frame;
    use http_body_util::{BodyExt, StreamBody};
    use prost::Message;
    use tonic::codec::Codec;

    use super::*;
    use crate::Config;
    use crate::auth::{Credentials, MAX_AGE};
    use crate::schemas::{Tables, builtin};

    /// Pages as they come off the wire; afterwards the stream ends as `ending` says.
    fn pages(pages: &[&[&str]], ending: Option<Status>) -> Box<Pages> {
        let frame = |members: &&[&str]| {
            let member = |id: &&str| Member {
                value: Some((*id).to_owned()),
                r#type: Some("User".to_owned()),
                ..Member::default()
            };
            let message = StreamMembersResponse {
                members: members.iter().map(member).collect(),
            };
            let message = message.encode_to_vec();
            let length = u32::try_from(message.len()).unwrap().to_be_bytes();
            Frame::data(Bytes::from([&[0], &length[..], &message].concat()))
        };
        let end = match ending {
            None => Ok(Frame::trailers(Status::ok("").into_http::<()>().into_parts().0.headers)),
            Some(status) => Err(status),
        };
        let frames: Vec<_> = pages.iter().map(frame).map(Ok).chain([end]).collect();
        let body = StreamBody::new(futures_util::stream::iter(frames));
        let decoder = tonic_prost::ProstCodec::<(), StreamMembersResponse>::default().decoder();
        let stream = Streaming::new_response(decoder, body, StatusCode::OK, None, None);
        let json = MembersJson::default();
        Box::new(Pages {
            stream,
            first: None,
            json,
            over: false,
        })
    }

    fn shown(excluded: Option<&str>) -> Shown {
        let config = Config::default();
        let credentials = Credentials::new(&config.auth, None, MAX_AGE).unwrap();
        let connection = service_runtime::connect("http://127.0.0.1:1", Default::default()).unwrap();
        Shown {
            gateway: Arc::new(Gateway::new(&config, connection, Tables::default(), credentials).unwrap()),
            base: Base::from_setting("https://gw.example").unwrap(),
            projection: Projection::parse(None, excluded).unwrap(),
            table: Arc::new(builtin()),
            tenant: "default".to_owned(),
        }
    }

    async fn text(excluded: Option<&str>, pages: Box<Pages>) -> Option<String> {
        let parts = [
            Part::Text(r#"{"id":"g""#.to_owned()),
            Part::Opened(pages),
            Part::Text("}".to_owned()),
        ];
        let collected = shown(excluded).body(parts).collect().await.ok()?;
        Some(String::from_utf8(collected.to_bytes().into()).unwrap())
    }

    #[tokio::test]
    async fn pages_become_one_attribute() {
        let plain = Some("members.type,members.$ref");
        let table: [(&[&[&str]], &str); 5] = [
            (&[], r#"{"id":"g"}"#),
            (&[&[]], r#"{"id":"g"}"#),
            (&[&["a"]], r#"{"id":"g","members":[{"value":"a"}]}"#),
            (
                &[&["a", "b"], &[], &["c"]],
                r#"{"id":"g","members":[{"value":"a"},{"value":"b"},{"value":"c"}]}"#,
            ),
            (&[&[], &["a"]], r#"{"id":"g","members":[{"value":"a"}]}"#),
        ];
        for (given, expected) in table {
            assert_eq!(text(plain, pages(given, None)).await.as_deref(), Some(expected));
        }
        let whole = text(None, pages(&[&["a"]], None)).await.unwrap();
        let expected = json!({ "value": "a", "type": "User", "$ref": "https://gw.example/scim/v2/Users/a" });
        assert_eq!(
            serde_json::from_str::<Value>(&whole).unwrap()["members"],
            json!([expected])
        );
    }

    #[tokio::test]
    async fn a_failure_midway_leaves_no_well_formed_end() {
        let broken = pages(&[&["a"], &["b"]], Some(Status::unavailable("gone")));
        assert_eq!(text(None, broken).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn members_that_cannot_be_asked_for_break_the_answer_off() {
        let parts = [Part::Text("{".to_owned()), Part::Members("g".to_owned())];
        assert!(shown(None).body(parts).collect().await.is_err());
    }
}
