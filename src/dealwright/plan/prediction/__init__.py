"""Parts of the *predict* stage, from labels and features to calibration, reasons and the model card."""
