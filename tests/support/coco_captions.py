"""A small file in the form of COCO's `captions_val2014.json`; sentences of our own."""

import json

SENTENCES = [
    "A dog sleeps on a striped sofa.",
    "Two boys carry a canoe across the sand",
    "A train waits at a small station in the rain.",
    "a bowl of soup beside a wooden spoon",
    "A woman repairs a bicycle in her garage.",
    "Several kites fly over an empty beach.",
    "A cook slices onions in a narrow kitchen.",
    "A tall clock tower stands behind bare trees.",
    "an old truck is parked near a barn",
    "A girl feeds ducks at the edge of a pond.",
]


def document(n_images=12, per_image=2):
    """Every image has several captions, with stray white space."""
    captions = [
        {
            "image_id": 1000 + image,
            "id": 10 * image + k,
            "caption": f" {SENTENCES[image % len(SENTENCES)]}"
            + (f"\n In picture {image}, take {k}. " if image >= len(SENTENCES) or k else " "),
        }
        for image in range(n_images)
        for k in range(per_image)
    ]
    return {"info": {}, "images": [], "licenses": [], "annotations": captions}


def write(file, **options):
    file.write_text(json.dumps(document(**options)))
    return file
