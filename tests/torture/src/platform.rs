//! The simulated Platform's own side, `/_sim`: how it shall go wrong, and what it holds.

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::weather::{Rule, Weather};

/// The control side of a simulated Platform.
#[derive(Debug)]
pub(crate) struct Platform {
    http: Client,
    url: String,
}

impl Platform {
    pub(crate) fn at(url: String) -> Result<Self> {
        let http = Client::builder().no_proxy().build()?;
        Ok(Self { http, url })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Lets calls go wrong in these ways, and in no others; gives how many calls the ways before have hit.
    pub(crate) async fn weather(&self, weather: &Weather) -> Result<u64> {
        let lifetime = weather.token_lifetime_s.unwrap_or(3600);
        self.control(Method::PATCH, "profile", &json!({"token_lifetime_s": lifetime}))
            .await?;
        self.rules(&weather.rules).await
    }

    /// Cuts every connection from now on.
    pub(crate) async fn outage(&self) -> Result<u64> {
        self.rules(&Rule::outage()).await
    }

    async fn rules(&self, rules: &[Rule]) -> Result<u64> {
        let before = self.control(Method::GET, "faults", &Value::Null).await?;
        self.control(Method::DELETE, "faults", &Value::Null).await?;
        self.control(Method::POST, "faults", &json!(rules)).await?;
        let before = before.as_array().map_or(&[][..], Vec::as_slice).iter();
        Ok(before.filter_map(|rule| rule["hits"].as_u64()).sum())
    }

    /// Makes every token given out so far invalid.
    pub(crate) async fn end_tokens(&self) -> Result<()> {
        self.control(Method::DELETE, "tokens", &Value::Null).await?;
        Ok(())
    }

    /// All that it holds, and what it was asked.
    pub(crate) async fn state(&self) -> Result<Value> {
        self.control(Method::GET, "state", &Value::Null).await
    }

    async fn control(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}/_sim/{path}", self.url);
        let request = self
            .http
            .request(method, &url)
            .header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await;
        let answer = answer.with_context(|| format!("the simulated Platform does not answer at {url}"))?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{url}: {status} {text}");
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }
}
