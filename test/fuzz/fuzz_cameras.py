"""Whole camera files of the formats that `load_camera` reads, to be broken: kind -> suffix and text."""

INFO = """A message was lost!!!
\ttotal count change:1
\ttotal count: 1---
header:
  frame_id: optical
height: 960
width: 1280
distortion_model: rational_polynomial
d: [0.4, -0.5, 0.0001, 0.0002, 0.3, 0.39, -0.48, 0.28, 0.0, 0.0]
k: [1220.0, 0.0, 639.5, 0.0, 1220.0, 479.5, 0.0, 0.0, 1.0]
p: [1220.0, 0.0, 639.5, 0.0, 0.0, 1220.0, 479.5, 0.0, 0.0, 0.0, 1.0, 0.0]
binning_x: 2
binning_y: 2
roi: {x_offset: 10, y_offset: 20, height: 640, width: 480, do_rectify: false}
---
"""
KALIBR = """cam0:
  camera_model: pinhole
  distortion_coeffs: [0.01, -0.002, 0.0005, -0.0001]
  distortion_model: equidistant
  intrinsics: [610.0, 610.0, 319.5, 239.5]
  resolution: [640, 480]
"""
OST = """[image]
width
640
height
480
[camera]
camera matrix
610.0 0.0 319.5
0.0 610.0 239.5
0.0 0.0 1.0
distortion
0.1 -0.2 0.0 0.0 0.0
projection
610.0 0.0 319.5 0.0
0.0 610.0 239.5 0.0
0.0 0.0 1.0 0.0
"""
STORAGE = """%YAML:1.0
---
image_width: 640
image_height: 480
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 610., 0., 319.5, 0., 610., 239.5, 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 1
   cols: 4
   dt: d
   data: [ 0.1, -0.2, 0., 0. ]
"""
STORAGE_XML = """<?xml version="1.0"?>
<opencv_storage>
<image_width>640</image_width>
<image_height>480</image_height>
<camera_matrix type_id="opencv-matrix">
  <rows>3</rows>
  <cols>3</cols>
  <dt>d</dt>
  <data>610. 0. 319.5 0. 610. 239.5 0. 0. 1.</data></camera_matrix>
</opencv_storage>
"""
LENS = """{"width": 640, "height": 480, "fl_x": 610.0, "fl_y": 610.0, "cx": 319.5, "cy": 239.5, "k1": 0.1, "k2": 0.01,
"p1": 0.0, "p2": 0.001, "model": "opencv"}"""
CAMERAS = {
    "camera lens": (".json", LENS),
    "camera info": (".yaml", INFO),
    "camera kalibr": (".yaml", KALIBR),
    "camera ost": (".txt", OST),
    "camera opencv": (".yml", STORAGE),
    "camera xml": (".xml", STORAGE_XML),
}
