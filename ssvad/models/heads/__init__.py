"""Detection heads and the network that repairs their masks."""

from .capsule_routing_head import CapsuleRoutingHead, DetOutput
from .error_recovery import ErrorRecovery

__all__ = ['CapsuleRoutingHead', 'DetOutput', 'ErrorRecovery']
