# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators: each reads properties, calls one function and reports."""
