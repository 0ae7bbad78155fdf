"""The lake: versioned Delta tables under one root, their history, backups and leases. The only importer of deltalake; knows no source or model."""
