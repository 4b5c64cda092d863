"""Networks so small that threads cost more than they bring, however pytest is called."""

import torch

torch.set_num_threads(1)
