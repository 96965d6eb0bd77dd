"""EfficientNet-Lite0's features in PyTorch, for `cargo xtask bench --only backbone/320 --against-torch ...`.

    python3 torch_backbone.py [--threads 2] [--repeat 7] [--only backbone/320] [--memory backbone/320]

The layers that the default configuration reads, of 8 images of 320x320 pixels, with random weights: it measures speed,
never accuracy. Padding is symmetric, which costs PyTorch no copy where TensorFlow's would. One JSON object a line, as
the yardstick's script prints them: {"op", "median_s", "min_s", "threads", "torch"}, and with --memory
{"op", "peak_extra_mib"}. Needs torch.
"""
import argparse
import json
import statistics
import sys
import time

import torch
from torch import nn

# Blocks, kernel, stride of the first block, expansion, channels (Tan and Le, ICML 2019, without squeeze-and-excitation).
STAGES = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]
LAYERS = (10, 12, 14)


def conv_norm(channels_in, channels_out, kernel, stride=1, groups=1, activation=True):
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")  # Keeps the activations' size, as ours are drawn.
    layers = [conv, nn.BatchNorm2d(channels_out, eps=1e-3)]
    return nn.Sequential(*layers, nn.ReLU6(inplace=True)) if activation else nn.Sequential(*layers)


class Block(nn.Module):
    """Expand, filter each channel, project; the input is added where the shape allows."""

    def __init__(self, channels_in, channels_out, kernel, stride, expansion):
        super().__init__()
        inner = channels_in * expansion
        expand = [conv_norm(channels_in, inner, 1)] if expansion != 1 else []
        depthwise = conv_norm(inner, inner, kernel, stride, groups=inner)
        self.layers = nn.Sequential(*expand, depthwise, conv_norm(inner, channels_out, 1, activation=False))
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x):
        y = self.layers(x)
        return x + y if self.residual else y


class Features(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = conv_norm(3, 32, 3, 2)
        blocks, channels = [], 32
        for count, kernel, stride, expansion, out in STAGES:
            for index in range(count):
                blocks.append(Block(channels, out, kernel, stride if index == 0 else 1, expansion))
                channels = out
        self.blocks = nn.ModuleList(blocks[: LAYERS[-1] + 1])

    def forward(self, x):
        x, kept = self.stem(x), []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in LAYERS:
                kept.append(x)
        return kept


def make_backbone():
    net, images = Features().eval(), torch.randn(8, 3, 320, 320)

    def run():
        with torch.no_grad():
            net(images)

    return run


OPS = {"backbone/320": make_backbone}


def peak_mib():
    import resource  # Not on every system, and only --memory needs it.

    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--memory")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    if args.memory:
        run = OPS[args.memory]()
        before = peak_mib()
        run()
        print(json.dumps({"op": args.memory, "peak_extra_mib": round(peak_mib() - before, 1)}))
        return
    for name in args.only or OPS:
        run = OPS[name]()
        run()
        times = []
        for _ in range(args.repeat):
            began = time.perf_counter()
            run()
            times.append(time.perf_counter() - began)
        print(json.dumps({"op": name, "median_s": round(statistics.median(times), 6), "min_s": round(min(times), 6),
                          "threads": args.threads, "torch": torch.__version__}), flush=True)


if __name__ == "__main__":
    main()
