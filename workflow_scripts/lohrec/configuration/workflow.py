"""Settings that the rules themselves read: further analyses, GPUs and threads of a job."""

SETTINGS = {
    "analysis": {
        "beams": {
            "type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1,
            "uniqueItems": True, "default": [10, 20, 50, 100],
            "description": "Widths of the beam search that are compared.",
        },
        "neighbours": {
            "type": "integer", "minimum": 1, "default": 10,
            "description": "Nearest items of an item in a model's embeddings that are compared.",
        },
        "cases": {
            "type": "integer", "minimum": 1, "default": 3,
            "description": "Users whose lists are shown.",
        },
    },
    "cuda": {
        "embed_items": {
            "$ref": "#/$defs/gpus", "default": {"count": 1, "memory_gb": 24},
            "description": "GPUs of a job (count; 0 runs on the CPU) and the memory of each.",
        },
        "train_rqvae": {
            "$ref": "#/$defs/gpus", "default": {"count": 1, "memory_gb": 8},
            "description": "GPUs of a job (count; 0 runs on the CPU) and the memory of each.",
        },
        "train_teacher": {
            "$ref": "#/$defs/gpus_of_nodes",
            "default": {"count": 1, "memory_gb": 32, "nodes": 1},
            "description": "GPUs of a node (count; 0 runs on the CPU), the memory of each, and the "
            "nodes of a job, of which more than one are given by SLURM alone.",
        },
        "generate_candidates": {
            "$ref": "#/$defs/gpus", "default": {"count": 1, "memory_gb": 32},
            "description": "GPUs of a job (count; 0 runs on the CPU) and the memory of each.",
        },
        "score_codewords": {
            "$ref": "#/$defs/gpus", "default": {"count": 1, "memory_gb": 24},
            "description": "GPUs of a job (count; 0 runs on the CPU) and the memory of each.",
        },
        "fit": {
            "$ref": "#/$defs/gpus", "default": {"count": 1, "memory_gb": 16},
            "description": "GPUs of a job (count; 0 runs on the CPU) and the memory of each.",
        },
        "recommend": {
            "$ref": "#/$defs/gpus", "default": {"count": 1, "memory_gb": 8},
            "description": "GPUs of a job (count; 0 runs on the CPU) and the memory of each.",
        },
        "recommend_teacher": {
            "$ref": "#/$defs/gpus", "default": {"count": 1, "memory_gb": 32},
            "description": "GPUs of a job (count; 0 runs on the CPU) and the memory of each.",
        },
    },
    "threads": {
        "embed_items": {
            "type": "integer", "minimum": 1, "default": 4,
            "description": "CPU threads of a job.",
        },
        "train_rqvae": {
            "type": "integer", "minimum": 1, "default": 4,
            "description": "CPU threads of a job.",
        },
        "train_teacher": {
            "type": "integer", "minimum": 1, "default": 4,
            "description": "CPU threads of a job.",
        },
        "generate_candidates": {
            "type": "integer", "minimum": 1, "default": 1,
            "description": "CPU threads of a job.",
        },
        "score_codewords": {
            "type": "integer", "minimum": 1, "default": 1,
            "description": "CPU threads of a job.",
        },
        "fit": {
            "type": "integer", "minimum": 1, "default": 4,
            "description": "CPU threads of a job.",
        },
        "recommend": {
            "type": "integer", "minimum": 1, "default": 1,
            "description": "CPU threads of a job.",
        },
    },
}  # fmt: skip
