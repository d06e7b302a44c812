"""The domain of an address: one name for a site, however its address is written."""

import pytest

from memo.core.sites import domain


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://GitHub.com/a/b?token=secret#secret", "github.com"),
        ("http://ada:secret@www.example.org:8080/", "www.example.org"),
        ("https://example.org./", "example.org"),
        ("https://xn--mnchen-3ya.de/", "münchen.de"),
        ("https://MÜNCHEN.de/", "münchen.de"),
        ("https://xn--/", "xn--"),
        ("http://[::1]:5600/x", "::1"),
        ("http://127.0.0.1:5600", "127.0.0.1"),
        ("//example.org/x", "example.org"),
        ("example.org/x//y", "example.org"),
        ("localhost:3000/x", "localhost"),
        ("", ""),
        ("about:blank", ""),
        ("chrome://settings", ""),
        ("chrome-extension://abc/x.html", ""),
        ("moz-extension://abc/", ""),
        ("view-source:https://example.org", ""),
        ("file:///home/ada/secret.html", ""),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("blob:https://example.org/1", ""),
        ("http://", ""),
        ("http://[::1", ""),
        ("http://a b/", ""),
        ("http://a:99999/", ""),
        ("http://" + "a" * 300 + "/", ""),
    ],
)
def test_domain_is_the_host_as_people_read_it(url: str, expected: str) -> None:
    assert domain(url) == expected
