//! A call that is several requests: one answer, one usage, and nothing unpaid where a part fails.

use std::sync::Arc;

use parking_lot::Mutex;

use super::*;

/// An upstream that answers every request by what is in its body, and remembers them.
async fn upstream_by(respond: fn(&Value) -> Vec<u8>) -> (String, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let mut got = Vec::new();
                // The bodies are small objects, which end with a brace.
                while !got.ends_with(b"}") {
                    let mut part = [0; 4096];
                    let length = socket.read(&mut part).await.unwrap();
                    got.extend_from_slice(&part[..length]);
                }
                let head = got.windows(4).position(|it| it == b"\r\n\r\n").unwrap() + 4;
                let body: Value = serde_json::from_slice(&got[head..]).unwrap();
                let told = respond(&body);
                seen.lock().push(body);
                socket.write_all(&told).await.unwrap();
                socket.shutdown().await.unwrap();
            });
        }
    });
    (address, asked)
}

fn titan(body: &Value) -> Vec<u8> {
    let json = "content-type: application/json";
    let text = body["inputText"].as_str().unwrap();
    match text.strip_prefix("text ") {
        Some(number) => {
            let told = format!(r#"{{"embedding":[{number}.0],"inputTextTokenCount":3}}"#);
            answer("200 OK", json, told.as_bytes())
        }
        None => answer("429 Too Many Requests", json, br#"{"message":"Too many tokens"}"#),
    }
}

fn asked(texts: &[String], address: &str) -> Prepared {
    let body = json!({ "model": "m", "input": texts }).to_string();
    let inbound = Inbound::parse_operation(Operation::Embeddings, body.into(), None).unwrap();
    prepare_operation(&inbound, &target("bedrock", address, "amazon.titan-embed-text-v2:0"))
        .unwrap()
}

#[tokio::test]
async fn texts_that_an_upstream_takes_one_by_one_come_back_together() {
    let (address, seen) = upstream_by(titan).await;
    let texts: Vec<String> = (0..19).map(|number| format!("text {number}")).collect();
    let Answer::Whole { body, usage, .. } = send(&asked(&texts, &address), KEY).await.unwrap()
    else {
        panic!()
    };
    let said: Value = serde_json::from_slice(&body).unwrap();
    let vectors = said["data"].as_array().unwrap().iter();
    let first: Vec<f64> = vectors.map(|each| each["embedding"][0].as_f64().unwrap()).collect();
    assert_eq!(first, (0..19).map(f64::from).collect::<Vec<_>>(), "in the caller's order");
    assert_eq!((usage.input_tokens, usage.estimated), (57, false));
    assert_eq!(said["usage"]["prompt_tokens"], 57);
    assert_eq!(seen.lock().len(), 19);
}

#[tokio::test]
async fn what_was_answered_before_a_part_failed_is_paid() {
    let (address, seen) = upstream_by(titan).await;
    let mut texts: Vec<String> = (0..30).map(|number| format!("text {number}")).collect();
    texts[9] = "bad".to_owned();
    let failed = send(&asked(&texts, &address), KEY).await.unwrap_err();
    let UpstreamError::Stopped(stop) = failed else { panic!("{failed:?}") };
    // Two rows of eight went out, and all but one of these was answered.
    assert_eq!((seen.lock().len(), stop.usage.unwrap().input_tokens), (16, 45));
    assert!(stop.problem.detail.contains("Too many tokens"), "{:?}", stop.problem);

    let failed = send(&asked(&["bad".to_owned()], &address), KEY).await.unwrap_err();
    assert!(matches!(failed, UpstreamError::Status(_)), "it may be tried again: {failed:?}");
}
