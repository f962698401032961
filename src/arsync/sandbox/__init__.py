"""Emulated QuickBooks, Xero and SendGrid over real HTTP on loopback, with sample companies; its own process."""
