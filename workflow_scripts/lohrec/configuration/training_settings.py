"""Settings that every training has; a module with more, or with other defaults, adds its own."""

SETTINGS = {
    "epochs": {
        "type": "number", "exclusiveMinimum": 0, "default": 200,
        "description": "Passes over the train examples.",
    },
    "batch_size": {
        "type": "integer", "minimum": 1, "default": 256,
        "description": "Train examples of a step; a teacher takes all of a user's at once.",
    },
    "learning_rate": {
        "type": "number", "exclusiveMinimum": 0, "default": 0.0005,
        "description": "Highest learning rate of AdamW.",
    },
    "warmup": {
        "type": "number", "minimum": 0, "maximum": 1, "default": 0.01,
        "description": "Share of the steps in which the learning rate rises.",
    },
    "weight_decay": {
        "type": "number", "minimum": 0, "default": 0.01,
        "description": "Weight decay of AdamW; vectors have none.",
    },
    "clip": {
        "type": "number", "exclusiveMinimum": 0, "default": 1.0,
        "description": "Largest norm of a step's gradient.",
    },
    "bf16": {
        "enum": [True, False, "auto"], "default": True,
        "description": (
            "Whether to multiply in bfloat16; auto does where the device has it in hardware."
        ),
    },
    "evaluations": {
        "type": "integer", "minimum": 1, "default": 100,
        "description": (
            "At most so many evaluations on the dev set, evenly spread, to choose the best state."
        ),
    },
    "patience": {
        "type": "integer", "minimum": 1, "default": 20,
        "description": "The training stops after so many evaluations without a better state.",
    },
    "dev_users": {
        "type": "integer", "minimum": 1, "default": 10000,
        "description": "Users of the dev set that an evaluation takes.",
    },
}  # fmt: skip
