"""Files that are whole or not there."""

import errno
import threading

import pytest

from tracelab.core.files import lock, read_json, whole, whole_lines, write_json, write_text


def test_what_fails_leaves_what_was(tmp_path):
    path = tmp_path / "folder" / "a.json"
    write_text(path, "old")

    def interrupted():
        with whole(path) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_its_content_may_name_it(tmp_path):
    with whole(tmp_path / "any", lambda partial: tmp_path / partial.read_text()) as partial:
        partial.write_text("name")
    assert [path.name for path in tmp_path.iterdir()] == ["name"]


def test_writers_at_once_do_not_mix(tmp_path):
    path, together = tmp_path / "a.txt", threading.Barrier(4)

    def write(letter):
        with whole(path) as partial:
            together.wait()
            partial.write_text(letter * 100_000)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(path.read_text())) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_unfinished_files_have_names_of_their_own(tmp_path):
    """On another machine, too, where processes have the same numbers."""
    with whole(tmp_path / "a.txt") as one, whole(tmp_path / "a.txt") as other:
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "a.txt").read_text() == "one"


def test_text_is_utf8_and_json_is_read_back(tmp_path):
    write_json(tmp_path / "a.json", {"sign": "–"})
    assert read_json(tmp_path / "a.json") == {"sign": "–"}
    write_text(tmp_path / "a.txt", "–")
    assert (tmp_path / "a.txt").read_bytes() == "–".encode()
    assert read_json(tmp_path / "none.json") is None


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"\xff\xfe"])
def test_a_damaged_json_file_is_named(tmp_path, content):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"run\.json is damaged .* delete it"):
        read_json(tmp_path / "run.json")


def test_a_torn_last_line_is_left_out_and_said_so(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\r\n1,2\r\n3")
    with pytest.warns(UserWarning, match=r"a\.csv ends with a torn line: it is read up to line 2"):
        assert whole_lines(path) == ["a,b\r\n", "1,2\r\n"]
    path.write_bytes(b"a,b\r\n1,2\r\n")
    assert len(whole_lines(path)) == 2


@pytest.mark.parametrize("number", [errno.EACCES, errno.EAGAIN, errno.ENOLCK, errno.EIO])
def test_only_a_lock_that_is_taken_is_another_process(tmp_path, number, recwarn):
    def take(*_):
        raise OSError(number, "no")

    with (tmp_path / "lock").open("ab") as file:
        taken = number in (errno.EACCES, errno.EAGAIN)
        assert lock(file, take, wait=False) != taken
    assert (
        [str(w.message) for w in recwarn] == []
        if taken
        else "lock cannot be locked" in str(recwarn[0].message)
    )
