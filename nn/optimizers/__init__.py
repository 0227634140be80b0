"""Optimizers: rules that change parameters by their gradients; schedules, clipping, and steps that are explained."""
