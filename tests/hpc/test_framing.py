"""What is sent to a shell arrives exactly, and only the command's own output comes back."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpc.errors import BadFrame, ConnectionLost, FileForbidden, FileMissing, RemoteFileError
from hpc.transports.framing import BOOTSTRAP, Frame, FrameReader, frame

SHELLS = [
    "sh", "dash", "bash",
    pytest.param("tcsh", marks=pytest.mark.lab),  # ./test.sh installs it
]

HOSTILE = [
    "", " ", "-rf", "--", "a b", "'", '"', "\\", "$(touch pwned)", "`touch pwned`", "$HOME", "!!", "!x",
    "*", "{a,b}", "~", "a\nb", "\n", "x\ntouch pwned\ny", "'\n'", "a\tb", ";touch pwned;", "&& pwned",
    "#c", "é", "\udcff\udcfe", "\x01\x7f", "a=b", "if", "\\n", "%s", "a\rb", "日本", "x" * 5000,
]

# any bytes but NUL, as text with surrogate escapes
arguments = st.lists(
    st.binary(max_size=60).map(lambda b: b.replace(b"\0", b"").decode("utf-8", "surrogateescape")),
    min_size=1, max_size=6,
)


def send(framed: Frame, stdin: bytes, shell: str = "sh") -> tuple[int, bytes, bytes]:
    """As sshd does it: the account's login shell gets the constant command line."""
    program = shutil.which(shell)
    assert program, f"{shell} is not installed: run ./test.sh"
    answer = subprocess.run(
        [program, "-c", BOOTSTRAP], input=framed.head + stdin, capture_output=True, check=False
    )
    out: list[bytes] = []
    err: list[bytes] = []
    readers = framed.readers(out.append, err.append)
    readers[0].feed(answer.stdout)
    readers[1].feed(answer.stderr)
    return framed.exit_code(*readers), b"".join(out), b"".join(err)


def echoed(words: list[str], shell: str) -> list[bytes]:
    """What a command on the far side sees as its arguments."""
    code, out, _ = send(frame(["printf", "%s\\0", *words], has_stdin=False), b"", shell)
    assert code == 0
    return out.split(b"\0")[:-1]


@pytest.mark.parametrize("shell", SHELLS)
def test_hostile_arguments_arrive_as_they_are(shell: str) -> None:
    assert echoed(HOSTILE, shell) == [w.encode("utf-8", "surrogateescape") for w in HOSTILE]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("word", ["x\ntouch pwned\ny", "!x", "a'b\n$(id)"])
def test_a_single_hostile_argument(shell: str, word: str) -> None:
    assert echoed([word], shell) == [word.encode()]


@settings(max_examples=150, deadline=None)
@given(words=arguments, data=st.binary(max_size=200))
def test_arguments_and_input_round_trip(words: list[str], data: bytes) -> None:
    script = 'printf "%s\\0" "$@"; cat; printf "%s" "$1" >&2'
    framed = frame(["sh", "-c", script, "x", *words], has_stdin=True)
    code, out, err = send(framed, data)
    sent = [word.encode("utf-8", "surrogateescape") for word in words]
    assert code == 0
    assert out == b"".join(word + b"\0" for word in sent) + data
    assert err == sent[0]


@settings(max_examples=40, deadline=None)
@given(path=st.binary(min_size=1, max_size=40))
def test_any_working_directory(path: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    name = path.replace(b"\0", b"").replace(b"/", b"").replace(b".", b"x") or b"x"
    folder = bytes(tmp_path_factory.mktemp("cd")) + b"/" + name
    subprocess.run([b"mkdir", b"--", folder], check=True)
    framed = frame(["pwd"], has_stdin=False, cwd=folder.decode("utf-8", "surrogateescape"))
    assert send(framed, b"") == (0, folder + b"\n", b"")


@pytest.mark.parametrize("word", ["if", "exit", "cd", "exec", "eval", ":", "alias", "trap", "A=b", "-x"])
def test_a_command_name_is_a_program_never_a_word_of_the_shell(word: str) -> None:
    code, _, _ = send(frame([word, "3"], has_stdin=False), b"")
    assert code in (125, 126, 127)


def test_environment_and_exit_code() -> None:
    value = "a 'b'\n$(id) \udcff"
    framed = frame(["sh", "-c", 'printf %s "$X"; exit 41'], has_stdin=False, env=[("X", value)])
    assert send(framed, b"") == (41, value.encode("utf-8", "surrogateescape"), b"")


def test_without_input_the_command_reads_nothing() -> None:
    assert send(frame(["cat"], has_stdin=False), b"left over")[1] == b""


def test_input_is_not_eaten_by_the_shell() -> None:
    data = b"line\n" * 50_000
    for words in (["cat"], ["sh", "-c", "cat # " + "x" * 6000], ["sh", "-c", "cat\n"]):
        assert send(frame(words, has_stdin=True), data)[1] == data


@pytest.mark.parametrize(
    ("path", "error"),
    [("/nonexistent/folder", FileMissing), ("/etc/passwd", RemoteFileError)],
)
def test_a_working_directory_that_cannot_be_entered(path: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        send(frame(["echo", "ran"], has_stdin=False, cwd=path), b"")
    assert path in str(caught.value)


@pytest.mark.parametrize(
    ("words", "more", "message"),
    [
        ([], {}, "empty"),
        (["a\0b"], {}, "NUL"),
        (["x", "y" * 131072], {}, "128 KiB"),
        (["x"], {"cwd": "relative"}, "absolute"),
        (["x"], {"env": [("A-B", "c")]}, "A-B"),
        (["x"], {"env": [("A", "c\0")]}, "NUL"),
    ],
)
def test_what_cannot_be_sent_is_refused(words: list[str], more: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        frame(words, has_stdin=False, **more)


def collect(pieces: list[bytes], nonce: str = "n" * 32) -> tuple[bytes, FrameReader]:
    got: list[bytes] = []
    reader = FrameReader(nonce, got.append)
    for piece in pieces:
        reader.feed(piece)
    return b"".join(got), reader


@settings(max_examples=200)
@given(
    noise=st.binary(max_size=100), content=st.binary(max_size=300), after=st.binary(max_size=50),
    cuts=st.lists(st.integers(0, 600), max_size=8),
)
def test_content_is_found_in_noise_however_it_is_cut(
    noise: bytes, content: bytes, after: bytes, cuts: list[int]
) -> None:
    nonce = "0123456789abcdef" * 2
    old = b"\n@" + b"f" * 32 + b" begin\nold\n@" + b"f" * 32 + b" end 0 ok\n"
    stream = (
        old + noise + f"\n@{nonce} begin\n".encode() + content + old
        + f"\n@{nonce} end 7 ok\n".encode() + after
    )
    edges = sorted({0, len(stream), *(cut % len(stream) for cut in cuts)})
    pieces = [stream[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    got, reader = collect(pieces, nonce)
    assert got == content + old
    assert reader.end == (7, "ok")


def test_a_megabyte_of_noise_is_not_kept() -> None:
    reader = FrameReader("n" * 32, lambda data: None)
    for _ in range(16):
        reader.feed(b"@" * 65536)
    assert len(reader._buffer) < 200


def test_an_answer_without_its_end_is_no_answer() -> None:
    framed = frame(["true"], has_stdin=False)
    out, err = framed.readers(lambda d: None, lambda d: None)
    out.feed(f"\n@{framed.nonce} begin\nhalf".encode())
    with pytest.raises(ConnectionLost):
        framed.exit_code(out, err)


def test_streams_that_disagree_are_no_answer() -> None:
    framed = frame(["true"], has_stdin=False)
    out, err = framed.readers(lambda d: None, lambda d: None)
    out.feed(f"\n@{framed.nonce} begin\n\n@{framed.nonce} end 0 ok\n".encode())
    err.feed(f"\n@{framed.nonce} begin\n\n@{framed.nonce} end 1 ok\n".encode())
    with pytest.raises(BadFrame):
        framed.exit_code(out, err)


def test_a_damaged_end_is_no_answer() -> None:
    with pytest.raises(BadFrame):
        collect([b"\n@" + b"n" * 32 + b" begin\n\n@" + b"n" * 32 + b" end x ok\n"])


def test_reasons_of_a_refused_directory() -> None:
    framed = frame(["true"], has_stdin=False, cwd="/root")
    out, err = framed.readers(lambda d: None, lambda d: None)
    for reader in (out, err):
        reader.feed(f"\n@{framed.nonce} begin\n\n@{framed.nonce} end 126 forbidden\n".encode())
    with pytest.raises(FileForbidden):
        framed.exit_code(out, err)
