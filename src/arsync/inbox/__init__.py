"""What comes back: customers' answers and bounces become facts and tasks. The inbox neither plans nor sends."""
