"""From accepted flags to a released model: ``python -m training.retrain`` (docs/retraining.md).

* `training.data.flag_dataset`, `accepted_samples`: what the dataset repo holds, and what of it may be learnt
* `views`: crops of those photographs and their embeddings
* `training.models.linear_head`, `new_breed`, `fit_head`: the new head, by numpy alone
* `training.export.gate_set`, `significance`, `loss_checks`, `flagged`, `gate`: challenger against champion
* `calibrate`, `memory`, `training.export.replace_head`, `challenger`: the new bundle
* `release`, `work`: what is published, and why it was or was not
* `full`: fine-tuning everything instead, through the training recipes
"""
