"""What comes back: answers, bounces and what providers tell become facts. The inbox neither plans nor sends."""
