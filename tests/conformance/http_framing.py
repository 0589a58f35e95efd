"""Cases about where a request ends: lengths, codings, chunks, the ends of lines."""

from tests.conformance.http_cases import (
    BODY,
    END,
    HOST,
    LARGEST,
    SIZE,
    TE,
    UP,
    WHOLE,
    Case,
    chunked,
    get,
    post,
    publish,
    raw,
    refuse,
    serve,
)

HALF = len(BODY) // 2
TWO = b"%x\r\n%b\r\n%X\r\n%b\r\n" % (HALF, BODY[:HALF], len(BODY) - HALF, BODY[HALF:])
SMUGGLER = b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n"

LENGTHS = [
    publish("a length", "6.2", post(SIZE)),
    publish("a length between blanks", "6.3", post(f"Content-Length: \t {len(BODY)} \t")),
    publish("a length in small letters", "5", post(SIZE.lower())),
    publish("a length with zeros in front", "6.2", post(f"Content-Length: 000{len(BODY)}")),
    serve("no length, no coding, no body", "6.3", get()),
    serve("a length of nothing", "6.3", get("Content-Length: 0")),
    serve("a request inside of a body", "6.3", get(f"Content-Length: {len(SMUGGLER)}") + SMUGGLER),
    Case(
        "more than a body", "6.3", get("Content-Length: 3") + b"one two ", (200, 400), closes=True
    ),
    refuse("two lengths that differ", "6.3", post("Content-Length: 0", SIZE), 400),
    refuse("the same length twice", "6.3", post(SIZE, SIZE), 400),
    refuse("two lengths in one line", "6.3", post("Content-Length: 1, 1"), 400),
    refuse("two lengths that differ in one line", "6.3", post("Content-Length: 1,2"), 400),
    refuse("a length with a plus", "6.2", post("Content-Length: +1"), 400),
    refuse("a negative length", "6.2", post("Content-Length: -1"), 400),
    refuse("minus nothing", "6.2", post("Content-Length: -0"), 400),
    refuse("a hexadecimal length", "6.2", post("Content-Length: 0x5"), 400),
    refuse("a length with a point", "6.2", post("Content-Length: 5.0"), 400),
    refuse("a length with an exponent", "6.2", post("Content-Length: 1e1"), 400),
    refuse("a length with an underscore", "6.2", post("Content-Length: 1_0"), 400),
    refuse("a length of two numbers", "6.2", post("Content-Length: 1 1"), 400),
    refuse("a length in words", "6.2", post("Content-Length: five"), 400),
    refuse("a length in quotes", "6.2", post('Content-Length: "5"'), 400),
    refuse("a length with a parameter", "6.2", post("Content-Length: 5;x"), 400),
    refuse("an empty length", "6.2", post("Content-Length:"), 400),
    refuse("digits of another script", "6.2", post("Content-Length: \xb2"), 400),
    refuse("a length behind a form feed", "5.5", post("Content-Length: \x0c5"), 400),
    refuse("a length of two to the 64th", "6.2", post(f"Content-Length: {2**64}"), 400),
    refuse("a length of thirty digits", "6.2", post("Content-Length: " + "9" * 30), 400),
    refuse("a length over the limit", "9110 15.5.14", post(f"Content-Length: {LARGEST + 1}"), 413),
]

CODINGS = [
    publish("chunks", "7.1", chunked(WHOLE + END)),
    publish("a coding in capitals", "7", post("Transfer-Encoding: CHUNKED", body=WHOLE + END)),
    publish("a coding of odd case", "7", post("transfer-ENCODING: cHuNkEd", body=WHOLE + END)),
    publish(
        "a coding between blanks", "5", post("Transfer-Encoding:\t chunked \t", body=WHOLE + END)
    ),
    refuse("a length and a coding", "6.3", post("Content-Length: 5", TE, body=END), 400),
    refuse("a coding and a length", "6.3", post(TE, "Content-Length: 5", body=END), 400),
    refuse("a coding and no length", "6.3", post(TE, "Content-Length: 0", body=END), 400),
    refuse("a coding twice", "6.1", post(TE, TE, body=WHOLE + END), 400),
    refuse(
        "two codings that differ", "6.1", post("Transfer-Encoding: identity", TE, body=END), 400
    ),
    refuse("chunked, identity", "6.1", post("Transfer-Encoding: chunked, identity", body=END), 501),
    refuse("identity, chunked", "6.1", post("Transfer-Encoding: identity, chunked", body=END), 501),
    refuse("identity", "6.1", post("Transfer-Encoding: identity", body=END), 501),
    refuse("identity and a length", "6.3", post("Transfer-Encoding: identity", SIZE), 400),
    refuse("chunked, chunked", "6.1", post("Transfer-Encoding: chunked, chunked", body=END), 501),
    refuse("gzip, chunked", "6.1", post("Transfer-Encoding: gzip, chunked", body=END), 501),
    refuse("gzip", "6.1", post("Transfer-Encoding: gzip"), 501),
    refuse("chunked with a comma", "6.1", post("Transfer-Encoding: chunked,", body=END), 501),
    refuse("a comma in front", "6.1", post("Transfer-Encoding: , chunked", body=END), 501),
    refuse("chunked with a parameter", "7", post("Transfer-Encoding: chunked;q=1", body=END), 501),
    refuse("chunked in quotes", "7", post('Transfer-Encoding: "chunked"', body=END), 501),
    refuse("nearly chunked", "7", post("Transfer-Encoding: xchunked", body=END), 501),
    refuse("no coding at all", "6.1", post("Transfer-Encoding:", body=END), 501),
    refuse("a coding behind a tab of lines", "5.5", post("Transfer-Encoding: \x0bchunked"), 400),
    refuse("a coding with a NUL", "5.5", post("Transfer-Encoding: chunked\0", body=END), 400),
    refuse(
        "a coding in front of a blank", "5.1", post("Transfer-Encoding : chunked", body=END), 400
    ),
    refuse("a coding behind a blank", "5.2", post("X: y", " " + TE, body=END), 400),
    refuse("a folded coding", "5.2", post("Transfer-Encoding:", " chunked", body=END), 400),
    refuse("a coding in HTTP/1.0", "6.1", post(TE, body=WHOLE + END, version="1.0"), 400),
    refuse("a coding in HTTP/1.0 with a length", "6.1", post(TE, SIZE, version="1.0"), 400),
]

CHUNKS = [
    publish("two chunks", "7.1", chunked(TWO + END)),
    publish("zeros in front of a size", "7.1", chunked(b"0000" + WHOLE + b"000\r\n\r\n")),
    publish("an extension", "7.1.1", chunked(WHOLE.replace(b"\r", b";a\r", 1) + b"0;last\r\n\r\n")),
    publish("quotes", "7.1.1", chunked(WHOLE.replace(b"\r", b' ;a="b c"\r', 1) + END)),
    publish("trailers", "7.1.2", chunked(WHOLE + b"0\r\nX-Sum: 1\r\nY:\r\n\r\n")),
    publish("a length among trailers", "7.1.2", chunked(WHOLE + b"0\r\nContent-Length: 9\r\n\r\n")),
    publish("a coding among trailers", "7.1.2", chunked(WHOLE + b"0\r\n%b\r\n\r\n" % TE.encode())),
    serve(
        "a request inside of a chunk",
        "7.1",
        get(TE) + b"%x\r\n%b\r\n" % (len(SMUGGLER), SMUGGLER) + END,
    ),
    refuse("no size", "7.1", chunked(b"\r\n\r\n"), 400),
    refuse("a size that is none", "7.1", chunked(b"xyz\r\n"), 400),
    refuse("a size with a plus", "7.1", chunked(b"+5\r\nhello\r\n" + END), 400),
    refuse("a negative size", "7.1", chunked(b"-5\r\nhello\r\n" + END), 400),
    refuse("a size with a prefix", "7.1", chunked(b"0x5\r\nhello\r\n" + END), 400),
    refuse("a size with an underscore", "7.1", chunked(b"0_5\r\nhello\r\n" + END), 400),
    refuse("a size behind a blank", "7.1", chunked(b" 5\r\nhello\r\n" + END), 400),
    refuse(
        "a size in front of a blank", "7.1", chunked(b"5 \r\nhello\r\n" + END), 400, repaired=True
    ),
    refuse("a size with a point", "7.1", chunked(b"5.0\r\nhello\r\n" + END), 400),
    refuse("a size of 64 bits", "7.1", chunked(b"ffffffffffffffff\r\n"), 413),
    refuse("a size that overflows", "7.1", chunked(b"10000000000000000\r\n"), 400),
    refuse("a size that overflows to 5", "7.1", chunked(b"10000000000000005\r\nhello\r\n"), 400),
    refuse("a chunk over the limit", "9110 15.5.14", chunked(b"%x\r\n" % (LARGEST + 1)), 413),
    refuse("a chunk that is too short", "7.1", chunked(b"7\r\nhello\r\n" + END), 400),
    refuse("a chunk that is too long", "7.1", chunked(b"5\r\nhello!\r\n" + END), 400),
    refuse("a chunk without its line end", "7.1", chunked(b"5\r\nhello" + END), 400),
    refuse("a size that ends with LF", "7.1", chunked(b"5\nhello\r\n" + END), 400, repaired=True),
    refuse("a chunk that ends with LF", "7.1", chunked(b"5\r\nhello\n" + END), 400, repaired=True),
    refuse("a size that ends with CR", "7.1", chunked(b"5\rhello\r\n" + END), 400),
    refuse(
        "an extension with LF", "7.1.1", chunked(b"5;a\nb\r\nhello\r\n" + END), 400, repaired=True
    ),
    refuse(
        "an extension with CR", "7.1.1", chunked(b"5;a\rb\r\nhello\r\n" + END), 400, repaired=True
    ),
    refuse(
        "an extension with a NUL", "7.1.1", chunked(b"5;\0\r\nhello\r\n" + END), 400, repaired=True
    ),
    refuse("an endless extension", "7.1.1", chunked(b"5;" + b"a" * 2000), 400, repaired=True),
    refuse("a last chunk that ends with LF", "7.1", chunked(WHOLE + b"0\n\n"), 400, repaired=True),
    refuse(
        "a trailer without a colon", "7.1.2", chunked(WHOLE + b"0\r\nX\r\n\r\n"), 400, repaired=True
    ),
    refuse(
        "a folded trailer", "7.1.2", chunked(WHOLE + b"0\r\nX: y\r\n z\r\n\r\n"), 400, repaired=True
    ),
    refuse("a trailer with LF", "7.1.2", chunked(WHOLE + b"0\r\nX: y\n\r\n"), 400, repaired=True),
    refuse("a request for a trailer", "7.1.2", chunked(WHOLE + b"0\r\n"), 400, repaired=True),
    refuse(
        "an endless trailer",
        "7.1.2",
        chunked(WHOLE + b"0\r\n" + b"X: y\r\n" * 1500),
        431,
        repaired=True,
    ),
]

LINES = [
    serve("empty lines in front", "2.2", b"\r\n\r\n" + get()),
    serve("a blank within a value", "5.5", get("X: a \t b")),
    serve("an empty value", "5", get("X:", "Y: ")),
    serve("letters of Latin-1 in a value", "5.5", get("X: \xe9\xff")),
    refuse("bare line feeds", "2.2", b"GET /up HTTP/1.1\nHost: x\n\n", 400, repaired=True),
    refuse("one bare line feed", "2.2", raw(UP, HOST + b"\nX: y"), 400, repaired=True),
    refuse("a head that ends with two", "2.2", UP + b"\r\nHost: x\n\n", 400, repaired=True),
    refuse(
        "a coding behind a bare line feed",
        "2.2",
        raw(UP, HOST, b"X: y\n" + TE.encode()),
        400,
        repaired=True,
    ),
    refuse("a bare carriage return", "2.2", raw(UP, HOST + b"\rX: y"), 400),
    refuse(
        "a length behind a bare carriage return",
        "2.2",
        raw(UP, HOST, b"X: y\rContent-Length: 5"),
        400,
    ),
    refuse("a bare carriage return in the first line", "2.2", raw(UP + b"\r" + HOST), 400),
    refuse("a folded line", "5.2", get("X: one", " two"), 400),
    refuse("a line folded with a tab", "5.2", get("X: one", "\ttwo"), 400),
    refuse("a folded first line", "2.2", raw(UP, b" Host: x"), 400),
    refuse("a folded empty line", "5.2", get("X: one", " "), 400),
    refuse("a NUL in a value", "5.5", get("X: a\0b"), 400),
    refuse("an escape in a value", "5.5", get("X: \x1b[0m"), 400),
    refuse("a DEL in a value", "5.5", get("X: \x7f"), 400),
]
