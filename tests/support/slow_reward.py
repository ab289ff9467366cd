"""A reward model that leaves time for a signal."""

import time

from support.toy_rewards import length_and_light


def slow():
    """A factory, as `module:factory` names it."""

    def reward(images, prompts):
        time.sleep(0.02)
        return length_and_light(images, prompts)

    return reward


def quick():
    return length_and_light
