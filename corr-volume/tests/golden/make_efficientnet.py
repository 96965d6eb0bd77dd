"""Golden values for tests/backbone_golden.rs: EfficientNet-Lite in plain torch, on an input made by a formula.

    python make_efficientnet.py WEIGHTS_FOLDER > efficientnet.json

Needs torch and the two weight files named below, nothing else. Outputs are sampled at fixed positions, so that the file
stays small; their Euclidean norms are over all values.
"""

import hashlib
import json
import math
import pathlib
import sys

import torch
from torch.nn import functional as F

# Blocks, kernel, stride, expansion and output channels of each stage.
LITE0 = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
         (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]
LITE2 = [(1, 3, 1, 1, 16), (3, 3, 2, 6, 24), (3, 5, 2, 6, 48), (4, 3, 2, 6, 88),
         (4, 5, 1, 6, 120), (5, 5, 2, 6, 208), (1, 3, 1, 6, 352)]
MODELS = {
    "efficientnet-lite0": ("efficientnet-lite0-57934424.pth", LITE0),
    "efficientnet-lite2": ("efficientnet-lite2-9656183e.pth", LITE2),
}
# Model, height and width of the input, blocks whose output is kept.
CASES = [
    ("efficientnet-lite0", 224, 224, [4, 10, 14]),
    ("efficientnet-lite0", 161, 195, [4, 10, 14]),
    ("efficientnet-lite2", 192, 192, [6, 14, 18]),
]
SAMPLES = 256


def conv(x, weight, stride=1, groups=1):
    """Convolution with TensorFlow's SAME padding: the odd cell goes after."""
    pads = []
    for length, kernel in ((x.shape[3], weight.shape[3]), (x.shape[2], weight.shape[2])):
        total = max((math.ceil(length / stride) - 1) * stride + kernel - length, 0)
        pads += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)


def norm(x, state, name):
    return F.batch_norm(x, state[f"{name}.running_mean"], state[f"{name}.running_var"],
                        state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-3)


def block(x, state, name, stride, residual):
    inner = x
    if f"{name}._expand_conv.weight" in state:
        inner = F.relu6(norm(conv(inner, state[f"{name}._expand_conv.weight"]), state, f"{name}._bn0"))
    weight = state[f"{name}._depthwise_conv.weight"]
    inner = F.relu6(norm(conv(inner, weight, stride, groups=len(weight)), state, f"{name}._bn1"))
    inner = norm(conv(inner, state[f"{name}._project_conv.weight"]), state, f"{name}._bn2")
    return inner + x if residual else inner


@torch.no_grad()
def forward(x, state, stages):
    """Outputs of all blocks, and the logits."""
    x = F.relu6(norm(conv(x, state["_conv_stem.weight"], 2), state, "_bn0"))
    outputs, channels = [], 32
    for count, _, first_stride, _, out in stages:
        for index in range(count):
            stride = first_stride if index == 0 else 1
            x = block(x, state, f"_blocks.{len(outputs)}", stride, stride == 1 and channels == out)
            channels = out
            outputs.append(x)
    head = F.relu6(norm(conv(x, state["_conv_head.weight"]), state, "_bn1")).mean((2, 3))
    return outputs, F.linear(head, state["_fc.weight"], state["_fc.bias"])


def formula_image(height, width):
    """Waves of several lengths, different in each channel; computed in double precision."""
    c, i, j = torch.meshgrid(torch.arange(3.0, dtype=torch.float64),
                             torch.arange(height, dtype=torch.float64),
                             torch.arange(width, dtype=torch.float64), indexing="ij")
    x = 0.6 * torch.sin(0.05 * (c + 1) * i) * torch.cos(0.07 * j) + 0.3 * torch.sin(0.9 * i + 1.3 * j + c)
    return x.float()[None]


def sampled(tensor):
    flat = tensor.flatten()
    positions = (torch.arange(SAMPLES) * 7919) % len(flat)
    return {"shape": list(tensor.shape), "norm": tensor.double().norm().item(),
            "samples": [float(f"{v:.7g}") for v in flat[positions].tolist()]}


def main():
    folder = pathlib.Path(sys.argv[1])
    cases = []
    for name, height, width, keep in CASES:
        file, stages = MODELS[name]
        state = torch.load(folder / file, map_location="cpu", weights_only=True)
        outputs, logits = forward(formula_image(height, width), state, stages)
        cases.append({
            "backbone": name, "file": file, "height": height, "width": width,
            "sha256": hashlib.sha256((folder / file).read_bytes()).hexdigest(),
            "blocks": [{"block": b, **sampled(outputs[b])} for b in keep], "logits": sampled(logits),
        })
    json.dump({"torch": torch.__version__, "cases": cases}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
