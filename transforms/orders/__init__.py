"""The order plan as people change it: edits on record, what is loaded in the end, what an edit costs. Making the plan is the models' business."""
