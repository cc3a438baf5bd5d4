"""Tunnel phase blocks and layered | tunnel interfaces."""
