//! Both clients from one value: what a proxy and a service see of each.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;

use super::reply::LONGEST_REFUSAL;
use super::*;

/// Answers every connection by these bytes, again and again if `endless`, and passes on the head of each request.
fn server(answer: Vec<u8>, endless: bool) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, (told, heard)) = (listener.local_addr().unwrap(), mpsc::channel());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut head, mut byte) = (stream.unwrap(), Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|length| length == 1) {
                head.push(byte[0]);
            }
            let _nobody_listens = told.send(String::from_utf8_lossy(&head).to_lowercase());
            while stream.write_all(&answer).is_ok() && endless {}
        }
    });
    (address, heard)
}

fn service(url: &str, proxy: Option<&str>) -> Service {
    let proxy = proxy.map(OsString::from);
    Service::within(&url.parse().unwrap(), Duration::from_secs(60), |name| {
        proxy.clone().filter(|_| name == "ALL_PROXY")
    })
    .unwrap()
}

const NOTHING: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// The heads of the same request by either client.
async fn heads(url: &str, proxy: Option<&str>, heard: &mpsc::Receiver<String>) -> [String; 2] {
    let service = service(url, proxy);
    let _failed = service.client(1).unwrap().get(url).send().await;
    let first = heard.recv().unwrap();
    let _failed = service.builder_for_influxdb2().unwrap().build().unwrap().get(url).send().await;
    [first, heard.recv().unwrap()]
}

#[tokio::test]
async fn either_client_tells_a_plain_proxy_the_address_and_the_password() {
    let (address, heard) = server(NOTHING.to_vec(), false);
    let proxy = format!("http://user:p%40ss@{address}");
    for head in heads("http://database.invalid/x", Some(&proxy), &heard).await {
        assert!(head.starts_with("get http://database.invalid/x http/1.1\r\n"), "{head}");
        assert!(head.contains("proxy-authorization: basic dxnlcjpwqhnz\r\n"), "{head}");
        assert!(head.contains("accept-encoding: identity\r\n"), "{head}");
        assert!(head.contains("user-agent: kore-trend-exporter/"), "{head}");
    }
}

#[tokio::test]
async fn either_client_asks_a_proxy_for_a_tunnel_where_the_service_is_encrypted() {
    let (address, heard) = server(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n".to_vec(), false);
    for head in heads("https://database.invalid/x", Some(&format!("user:pass@{address}")), &heard).await {
        assert!(head.starts_with("connect database.invalid:443 http/1.1\r\n"), "{head}");
        assert!(head.contains("proxy-authorization: basic dxnlcjpwyxnz\r\n"), "{head}");
    }
}

#[tokio::test]
async fn neither_client_asks_a_proxy_for_this_machine() {
    let (address, heard) = server(NOTHING.to_vec(), false);
    for head in heads(&format!("http://{address}/x"), Some("http://127.0.0.1:1"), &heard).await {
        assert!(head.starts_with("get /x http/1.1\r\n"), "{head}");
    }
}

#[tokio::test]
async fn neither_client_follows_a_redirect() {
    let (address, heard) = server(b"HTTP/1.1 302 Found\r\nlocation: /y\r\ncontent-length: 0\r\n\r\n".to_vec(), false);
    let url = format!("http://{address}/x");
    heads(&url, None, &heard).await;
    assert!(heard.try_recv().is_err());
}

#[tokio::test]
async fn a_refusal_without_an_end_is_read_to_its_bound() {
    let head = b"HTTP/1.1 400 Bad Request\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = [b"10000\r\n", vec![b'x'; 1 << 16].as_slice(), b"\r\n"].concat();
    let (address, _) = server([head, chunk.repeat(40).as_slice()].concat(), true);
    let url = format!("http://{address}/");
    let response = service(&url, None).client(1).unwrap().get(&url).send().await.unwrap();
    let reply = receive(response).await.unwrap();
    assert_eq!((reply.status, reply.body.len()), (400, LONGEST_REFUSAL));
}

#[tokio::test]
async fn a_refusal_that_breaks_off_is_one_all_the_same() {
    let (address, _) = server(b"HTTP/1.1 503 Busy\r\ncontent-length: 100\r\n\r\nover".to_vec(), false);
    let url = format!("http://{address}/");
    let response = service(&url, None).client(1).unwrap().get(&url).send().await.unwrap();
    let reply = receive(response).await.unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (503, b"over".as_slice()));
}

#[tokio::test]
async fn a_success_that_breaks_off_is_none() {
    let (address, _) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nover".to_vec(), false);
    let url = format!("http://{address}/");
    let response = service(&url, None).client(1).unwrap().get(&url).send().await.unwrap();
    match receive(response).await {
        Err(TransportError::Unreachable(words)) => assert!(words.contains("after 4 bytes of the answer"), "{words}"),
        other => panic!("{other:?}"),
    }
}
