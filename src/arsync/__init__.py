"""arsync chases overdue invoices from QuickBooks Online and Xero, and writes every message back."""

__version__ = "0.1.0"
