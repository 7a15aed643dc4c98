//! Answers that a real tenant gave, given again: a transcript of JSON lines, one for each exchange, takes the place of the
//! simulated tenant. It knows requests and recorded answers, nothing of what they mean. The README describes the format.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use axum::body::Bytes;
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, SET_COOKIE, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use serde::Deserialize;
use serde_json::Value;

use crate::records::fold;

/// What was scrubbed; in a recorded request it stands for anything.
const SCRUBBED: &str = "***";
/// What belonged to the recorded connection or its moment.
const LEFT_OUT: [HeaderName; 6] = [
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    DATE,
    SET_COOKIE,
    TRANSFER_ENCODING,
];

/// Why a transcript cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A line is no exchange.
    #[error("line {line} of {path} is no exchange")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// Nothing was recorded.
    #[error("{0} has no exchange")]
    Empty(PathBuf),
}

/// One exchange, as a line has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(deserialize_with = "method")]
    method: Method,
    #[serde(deserialize_with = "uri")]
    path: Uri,
    #[serde(default)]
    request: Value,
    #[serde(deserialize_with = "status")]
    status: StatusCode,
    #[serde(default, deserialize_with = "headers")]
    headers: HeaderMap,
    #[serde(default)]
    body: Value,
}

/// A transcript, and how far it was played.
#[derive(Debug)]
pub(crate) struct Replay {
    exchanges: HashMap<Question, Vec<Exchange>>,
    /// How often each exchange was the first that fits.
    played: HashMap<(Question, usize), usize>,
}

/// Method, path and query, in one spelling.
type Question = (Method, String, Vec<(String, String)>);

#[derive(Debug)]
struct Exchange {
    request: Value,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Replay {
    /// Reads a file, or all files of a folder that end in `.jsonl`, by name. Blocks.
    pub(crate) fn read(path: &Path) -> Result<Self, ReplayError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| ReplayError::Io { path, source }
        };
        let mut files = vec![path.to_owned()];
        if path.is_dir() {
            let entries = path.read_dir().map_err(io(path))?;
            let paths: Result<Vec<_>, _> = entries.map(|entry| Ok(entry.map_err(io(path))?.path())).collect();
            files = paths?;
            files.retain(|file| file.extension().is_some_and(|end| end == "jsonl"));
            files.sort();
        }
        let mut exchanges: HashMap<_, Vec<_>> = HashMap::new();
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(io(&file))?;
            for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                let line: Line = serde_json::from_str(line).map_err(|source| ReplayError::Line {
                    path: file.clone(),
                    line: n + 1,
                    source,
                })?;
                let question = question(&line.method, &line.path);
                exchanges.entry(question).or_default().push(line.into());
            }
        }
        if exchanges.is_empty() {
            return Err(ReplayError::Empty(path.to_owned()));
        }
        Ok(Self {
            exchanges,
            played: HashMap::new(),
        })
    }

    /// How many exchanges there are.
    pub(crate) fn len(&self) -> usize {
        self.exchanges.values().map(Vec::len).sum()
    }

    /// Whether a request with this method and path was recorded.
    pub(crate) fn knows(&self, parts: &Parts) -> bool {
        self.exchanges.contains_key(&question(&parts.method, &parts.uri))
    }

    /// The next recorded answer, of which the last repeats; a bare 404 where none was recorded.
    pub(crate) fn answer(&mut self, parts: &Parts, body: &Bytes) -> Response {
        let question = question(&parts.method, &parts.uri);
        let exchanges = self.exchanges.get(&question).map_or(&[][..], Vec::as_slice);
        let sent: Value = serde_json::from_slice(body).unwrap_or_else(|_| text(body));
        // One request asked again and again is answered whatever is sent now; several are told apart.
        let alike = exchanges.windows(2).all(|pair| pair[0].request == pair[1].request);
        let fits = |exchange: &&(usize, &Exchange)| alike || fits(&exchange.1.request, &sent);
        let fitting: Vec<_> = exchanges.iter().enumerate().collect();
        let fitting: Vec<_> = fitting.iter().filter(fits).collect();
        let (Some(first), Some(last)) = (fitting.first(), fitting.len().checked_sub(1)) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let played = self.played.entry((question, first.0)).or_default();
        let (_, exchange) = fitting[(*played).min(last)];
        *played += 1;
        let (headers, body) = (exchange.headers.clone(), exchange.body.clone());
        (exchange.status, headers, body).into_response()
    }
}

impl From<Line> for Exchange {
    fn from(line: Line) -> Self {
        let mut headers = line.headers;
        LEFT_OUT.iter().for_each(|name| drop(headers.remove(name)));
        let body = match line.body {
            Value::Null => Bytes::new(),
            Value::String(text) => Bytes::from(text),
            body => {
                let json = HeaderValue::from_static("application/json; charset=utf-8");
                headers.entry(CONTENT_TYPE).or_insert(json);
                Bytes::from(body.to_string())
            }
        };
        Self {
            request: line.request,
            status: line.status,
            headers,
            body,
        }
    }
}

/// Doubled slashes, letter case, and the order of a query's parts do not count.
fn question(method: &Method, uri: &Uri) -> Question {
    let segments: Vec<_> = uri.path().split('/').filter(|segment| !segment.is_empty()).collect();
    let query = Query::<Vec<(String, String)>>::try_from_uri(uri);
    let mut query = query.map(|Query(query)| query).unwrap_or_default();
    query.iter_mut().for_each(|(name, _)| *name = fold(name));
    query.sort();
    (method.clone(), fold(&segments.join("/")), query)
}

fn fits(recorded: &Value, sent: &Value) -> bool {
    match (recorded, sent) {
        (Value::String(text), _) if text == SCRUBBED => true,
        (Value::Object(recorded), Value::Object(sent)) => {
            recorded.len() == sent.len()
                && recorded
                    .iter()
                    .all(|(name, value)| sent.get(name).is_some_and(|other| fits(value, other)))
        }
        (Value::Array(recorded), Value::Array(sent)) => {
            recorded.len() == sent.len() && recorded.iter().zip(sent).all(|(one, other)| fits(one, other))
        }
        (one, other) => one == other,
    }
}

/// A body that is not JSON; an empty one is none.
fn text(body: &Bytes) -> Value {
    match String::from_utf8_lossy(body) {
        text if text.is_empty() => Value::Null,
        text => Value::String(text.into_owned()),
    }
}

fn method<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Method, D::Error> {
    parsed(from)
}

fn uri<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Uri, D::Error> {
    parsed(from)
}

fn parsed<'de, T: std::str::FromStr<Err: std::fmt::Display>, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<T, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(serde::de::Error::custom)
}

fn status<'de, D: serde::Deserializer<'de>>(from: D) -> Result<StatusCode, D::Error> {
    let status = StatusCode::from_u16(u16::deserialize(from)?).map_err(serde::de::Error::custom)?;
    if status.is_informational() {
        return Err(serde::de::Error::custom("the status is not a final one"));
    }
    Ok(status)
}

fn headers<'de, D: serde::Deserializer<'de>>(from: D) -> Result<HeaderMap, D::Error> {
    let headers = HashMap::<String, String>::deserialize(from)?;
    HeaderMap::try_from(&headers).map_err(serde::de::Error::custom)
}
