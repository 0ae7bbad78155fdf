"""What leaves the lake: order plans, workbooks, slices of tables, obfuscated samples. Nothing reads it back."""
