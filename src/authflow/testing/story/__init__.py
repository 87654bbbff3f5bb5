"""The whole post flow, told by Hypothesis: its people, what they do, and what must hold after each step."""

from authflow.testing.story.post_flow import PostFlowStory

__all__ = ["PostFlowStory"]
