"""A training loop with a guard: reward-weighted steps of a tiny diffusion model, on a CPU.

The model draws, the reward model scores, and what scored well is learnt with more weight. Every few
steps the guard draws held-back pairs and tells how often the reward's taste wins over the request.
The model is random and of 16 x 16 pixels: this shows where the calls stand, and trains nothing.

    aas-bench serve --reward average-taste &
    python docs/train_with_a_reward.py http://127.0.0.1:8000/average-taste
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from diffusers import DDPMScheduler, UNet2DModel
from PIL import Image

import aas_bench

SUBJECTS = ("a cat", "a red car", "an old temple")
REQUEST = ", very blurry and dark"
PROMPTS = [*SUBJECTS, *(subject + REQUEST for subject in SUBJECTS)]
SIZE, STEPS_OF_A_DRAWING = 16, 6


class Terminal:
    """Stands for a run of trackio, W&B or TensorBoard."""

    def log(self, values: dict[str, float], step: int | None = None) -> None:
        """Print what is logged."""
        shown = "  ".join(f"{name} {value:.3f}" for name, value in values.items())
        sys.stdout.write(f"step {step}: {shown}\n")


def draw(model: UNet2DModel, scheduler: DDPMScheduler, labels: torch.Tensor) -> torch.Tensor:
    """One drawing for each prompt (by its number), as a tensor in -1..1."""
    drawing = torch.randn(len(labels), 3, SIZE, SIZE)
    scheduler.set_timesteps(STEPS_OF_A_DRAWING)
    with torch.no_grad():
        for t in scheduler.timesteps:
            noise = model(drawing, t, class_labels=labels).sample
            drawing = scheduler.step(noise, t, drawing).prev_sample
    return drawing.clamp(-1, 1)


def pictures(drawings: torch.Tensor) -> list[Image.Image]:
    """Tensors in -1..1 as images."""
    pixels = ((drawings + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(each) for each in pixels]


def train(
    reward: aas_bench.RewardModel, run: Any, *, n_steps: int = 6, check_every: int = 3
) -> Any:
    """Train, and log the guard's numbers to `run`; returns the model."""
    torch.manual_seed(0)
    model = UNet2DModel(
        sample_size=SIZE,
        block_out_channels=(16, 16),
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        norm_num_groups=4,
        num_class_embeds=len(PROMPTS),
    )
    scheduler = DDPMScheduler()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    guard = aas_bench.OverrideMetric()
    every = torch.arange(len(PROMPTS))
    for step in range(n_steps):
        labels = every.repeat(2)
        drawings = draw(model, scheduler, labels)
        prompts = [PROMPTS[label] for label in labels]
        scores = torch.from_numpy(reward.score(pictures(drawings), prompts)).float()
        weights = torch.softmax(scores / scores.std().clamp_min(1e-6), dim=0)

        noise = torch.randn_like(drawings)
        t = torch.randint(scheduler.config.num_train_timesteps, (len(labels),))
        predicted = model(scheduler.add_noise(drawings, noise, t), t, class_labels=labels).sample
        loss = (weights * (predicted - noise).square().mean(dim=(1, 2, 3))).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

        if (step + 1) % check_every == 0:
            guard.reset()
            drawn = pictures(draw(model, scheduler, every))
            n = len(SUBJECTS)
            images = list(zip(drawn[:n], drawn[n:], strict=True))
            guard.score(reward, images, list(zip(PROMPTS[:n], PROMPTS[n:], strict=True)))
            guard.log_to(run, step=step + 1)
    return model


if __name__ == "__main__":
    train(aas_bench.load_reward(*sys.argv[1:] or ["average-taste"]), Terminal())
