"""The hashes against those that ROS 2 Jazzy ships: fields, their order and their types are thereby ROS 2's."""

import pytest

pytest.importorskip("cyclonedds")
from pose_regressor.middleware.dds import idl, service_types
from pose_regressor.middleware.dds.type_hash import ros_name, type_hash

#: From share/<package>/<msg or srv>/<name>.json of a Jazzy installation.
JAZZY = dict(
    line.split()
    for line in """
sensor_msgs/msg/Image d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47
sensor_msgs/msg/CompressedImage 15640771531571185e2efc8a100baf923961a4d15d5569652e6cb6691e8e371a
sensor_msgs/msg/CameraInfo b3dfd68ff46c9d56c80fd3bd4ed22c7a4ddce8c8348f2f59c299e73118e7e275
tf2_msgs/msg/TFMessage e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087
vision_msgs/msg/Detection3DArray 793f5eab9595ac1c0da07873cc859db42eae51f0ee76056db8562515d830e018
diagnostic_msgs/msg/DiagnosticArray 5a8a36efb05fb25070fa0fb3810290c0e6cd4862b54a8fb975a1ee8dc55a333e
rmw_dds_common/msg/ParticipantEntitiesInfo 91a0593bacdcc50ea9bdcf849a938b128412cc1ea821245c663bcd26f83c295e
lifecycle_msgs/srv/ChangeState_Request d74c6f524e14cade7b67e7297190360ed749264af300524fc1456f27cc2a553a
lifecycle_msgs/srv/ChangeState_Response e1ddfed0271fefe63767aa71561926e4d9eac0f1ddf9e71a8873eb46b36deac2
lifecycle_msgs/srv/GetState_Request 77a9c844e7975f15bc2221e8bbebafc4d118afb78c7f7071eef91f83f940f2f6
lifecycle_msgs/srv/GetState_Response fe249babab472e42cb5653b5d6a6b0c42a003b0fdfb84851aea3fde08760b4f5
lifecycle_msgs/srv/GetAvailableTransitions_Request 52a73c0b5d7489bee0df6ddb0aec45c41289d223ff225b58fe11d859ac8109a6
lifecycle_msgs/srv/GetAvailableTransitions_Response 4711339461aadf02bcfff797a198de911f885074bd3f2fe9f7b677ef87f0741c
rcl_interfaces/srv/DescribeParameters_Request 05dd1c2bc87dec2627105c8070d6f9725c781a4f2ab852975bf105462b82b644
rcl_interfaces/srv/DescribeParameters_Response ad6747319613c6131589e062e095b469a46cc764f7d0f12a001a49e6cd893995
rcl_interfaces/srv/GetParameters_Request 135a9e1c3d7cebef792f6687d7ddf99949b21a0bd9a320d863a9110a3f5cf4d6
rcl_interfaces/srv/GetParameters_Response 9fa773b46e39cc5d02db6224d8fd520bb9caeeffc2b27c96c1e59431baba9f2a
rcl_interfaces/srv/GetParameterTypes_Request 87d7ec5ef545d4daa289d500025d31fb2437bc8b8365ca367161c4dac4be33fd
rcl_interfaces/srv/GetParameterTypes_Response ac1335dce67c478e669434f6ac2fbff34fcd529580f272d3006785ba8b54e47f
rcl_interfaces/srv/ListParameters_Request a1b0b5d6b967a5b8ac5bc8563c3ea678f349e312a6a4967227c5a96bc5ce38df
rcl_interfaces/srv/ListParameters_Response 31b937b82de3612426be79f231e386259f97e8dc843e3f2845288b4bfa296bdd
rcl_interfaces/srv/SetParameters_Request 130d46386b7e84ea9ecf60608a4d83cbe5e5cb7c6cc5b712b7a4e3a6c254e932
rcl_interfaces/srv/SetParameters_Response 7a0e8140a0b8d98308fa81a5403a766e610af29a239caf54b7553227906fc266
rcl_interfaces/srv/SetParametersAtomically_Request db0bd950ed5ed867a0e90b225e44dea382d762c0762ff3e0ee842190042a59e5
rcl_interfaces/srv/SetParametersAtomically_Response 31b1a38c5b0b9d893ee24da45f69638f4561c78461d82d52750f429b534502b8
""".strip().splitlines()
)
MESSAGES = [
    *(idl.Image, idl.CompressedImage, idl.CameraInfo, idl.TFMessage, idl.Detection3DArray),
    *(idl.DiagnosticArray, idl.ParticipantEntitiesInfo),
    *(
        part
        for service in (service_types.LIFECYCLE | service_types.PARAMETERS).values()
        for part in (service.request, service.response)
    ),
]


@pytest.mark.parametrize("message", MESSAGES, ids=ros_name)
def test_as_jazzy_has_it(message):
    assert type_hash(message) == f"RIHS01_{JAZZY[ros_name(message)]}"
