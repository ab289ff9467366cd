"""Other people's files, COCO, AVA and LAPIS, as the dataset builders read them."""
