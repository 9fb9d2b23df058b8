# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of S2C's two stages on one processor or many machines, by Accelerate. Importing this package imports no torch.

The data set (`data.dataset.Cut`) gives windows, `conditioning.heard_window` what the model's encoder hears of each, `batches` both
as tensors, `stages` the losses, `loop.train` the rest. Another conditioning is another encoder in S2CModel and another HeardWindow.
"""
