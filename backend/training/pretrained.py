# SPDX-License-Identifier: GPL-3.0-or-later
"""A pretrained audio encoder from a folder of the transformers library (config.json and weights), for both hands."""

from pathlib import Path

from torch.nn.utils import parametrize

from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import HandSide

from ..s2c.model import S2CModel


def load_encoder(model: S2CModel, folder: Path) -> None:
    """Raises PianoHandsError('bad-checkpoint') for what is no such folder, or of other sizes than the model's encoder."""
    from transformers import HubertModel, Wav2Vec2Model

    kind = Wav2Vec2Model if model.config.encoder.get("model_type") == "wav2vec2" else HubertModel
    try:
        if not (folder / "config.json").is_file():
            raise OSError("there is no config.json")
        source = kind.from_pretrained(str(folder), local_files_only=True)
        parametrize.remove_parametrizations(source.encoder.pos_conv_embed.conv, "weight")
        for side in HandSide:
            encoder = model.encoder(side)
            encoder.convolutions.load_state_dict(source.feature_extractor.state_dict())
            encoder.projection.load_state_dict(source.feature_projection.state_dict())
            encoder.encoder.load_state_dict(source.encoder.state_dict())
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise PianoHandsError(
            "bad-checkpoint",
            f"The encoder in {folder} cannot be used: {error}",
            "Give a folder with config.json and model.safetensors, such as a copy of facebook/hubert-large-ls960-ft.",
        ) from error
    model.share_convolutions()
