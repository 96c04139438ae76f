use std::os::unix::ffi::OsStringExt;

use super::*;

/// The proxy for an address, as these variables name it.
fn of(url: &str, variables: &[(&str, &str)]) -> Result<Option<String>, ProxyError> {
    let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
    Ok(Proxy::of(&url.parse().unwrap(), variable)?.map(|proxy| proxy.0.uri().to_string()))
}

#[test]
fn the_first_variable_for_the_scheme_names_the_proxy() {
    let all = ("ALL_PROXY", "all:1");
    for (url, variables, expected) in [
        ("https://a.example", &[("HTTPS_PROXY", "http://one:1"), all][..], Some("http://one:1/")),
        ("https://a.example", &[("https_proxy", "one:1"), all], Some("http://one:1/")),
        ("https://a.example", &[("HTTP_PROXY", "one:1"), all], Some("http://all:1/")),
        ("https://a.example", &[("HTTP_PROXY", "one:1")], None),
        ("http://a.example", &[("HTTP_PROXY", "https://u:p@one:1/path")], Some("https://one:1/")),
        ("http://a.example", &[("HTTP_PROXY", ""), ("http_proxy", "two:2")], Some("http://two:2/")),
        ("http://a.example", &[("all_proxy", "all:1")], Some("http://all:1/")),
        ("http://a.example", &[("REQUEST_METHOD", "GET"), all], Some("http://all:1/")),
        ("http://a.example", &[], None),
    ] {
        assert_eq!(of(url, variables).unwrap().as_deref(), expected, "{url} {variables:?}");
    }
}

#[test]
fn some_hosts_are_reached_without_a_proxy_whatever_its_variable_says() {
    for (url, hosts, expected) in [
        ("http://a.example", "example", false),
        ("http://a.example", ".example", false),
        ("http://a.example", "b.example, a.example", false),
        ("http://a.example", "*", false),
        ("http://a.example", "xample", true),
        ("http://10.1.2.3", "10.0.0.0/8", false),
        ("http://10.1.2.3", "11.0.0.0/8", true),
        ("http://127.0.0.1:8086", "", false),
        ("http://[::1]:8086", "", false),
        ("http://localhost:8086", "", false),
    ] {
        let variables = [("ALL_PROXY", "socks5://proxy:1"), ("NO_PROXY", hosts)];
        assert_eq!(of(url, &variables).is_err(), expected, "{url} {hosts}");
    }
}

#[test]
fn a_proxy_that_cannot_be_used_is_an_error_that_names_the_variable_and_not_the_password() {
    for (value, words) in [
        ("socks5://user:hunter2@127.0.0.1:1", "not SOCKS"),
        ("socks4a://127.0.0.1:1", "not SOCKS"),
        ("ftp://127.0.0.1:1", "only http://"),
        ("http://user:hunter2@ss@127.0.0.1:1", "'@' is %40"),
        ("http://user:hunter2@:::", "must be http://host:port"),
        ("http://", "must be http://host:port"),
        ("http://a b", "must be http://host:port"),
        ("http://127.0.0.1:99999", "must be http://host:port"),
    ] {
        let error = of("https://a.example", &[("https_proxy", value)]).unwrap_err().to_string();
        assert!(error.starts_with("https_proxy: ") && error.contains(words), "{value}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let not_text = |_: &str| Some(OsString::from_vec(vec![0xff]));
    let error = Proxy::of(&"http://a.example".parse().unwrap(), not_text).unwrap_err().to_string();
    assert!(error.starts_with("HTTP_PROXY: not valid UTF-8"), "{error}");
}

#[test]
fn debug_shows_no_password() {
    let variable = |name: &str| (name == "ALL_PROXY").then(|| OsString::from("http://user:hunter2@proxy:1"));
    let proxy = Proxy::of(&"http://a.example".parse().unwrap(), variable).unwrap();
    assert_eq!(format!("{proxy:?}"), "Some(Proxy(http://proxy:1/))");
}

#[test]
fn only_this_machine_is_loopback() {
    for (url, expected) in [
        ("http://localhost:8086", true),
        ("http://127.0.0.1", true),
        ("http://127.9.9.9:1", true),
        ("http://[::1]:8086", true),
        ("http://127.0.0.1.example.com", false),
        ("http://127.example.com", false),
        ("http://localhost.example.com", false),
        ("http://10.0.0.1", false),
        ("http://[::2]", false),
    ] {
        assert_eq!(is_loopback(&url.parse().unwrap()), expected, "{url}");
    }
}
