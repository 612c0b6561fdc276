"""Files that are whole or not there."""

import threading

import pytest

from tracelab.core.files import whole, write_text


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
