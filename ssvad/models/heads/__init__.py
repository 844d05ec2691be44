"""Detection heads."""

from .capsule_routing_head import CapsuleRoutingHead, DetOutput

__all__ = ['CapsuleRoutingHead', 'DetOutput']
