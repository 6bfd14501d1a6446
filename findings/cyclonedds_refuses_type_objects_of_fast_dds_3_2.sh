#!/usr/bin/env bash
# Cyclone DDS 11.0.1 and Fast DDS 3.2.3, the default of ROS 2 Kilted, exchange no sensor_msgs/Image.
#
# Seen: Fast DDS announces a type object for the sequence of bytes in Image that Cyclone DDS calls invalid
# ("ddsi_xt_type_add_typeobj with invalid type object"). Cyclone then knows no type of that endpoint, and the two do not
# match. Nothing arrives, in either direction. std_msgs/String, which has no sequence, arrives.
# With Cyclone's setting Compatibility/IgnoreTypeInformation for vendor 1.15 (Fast DDS), images arrive as well.
#
# Needs Python 3.10 to 3.13 on x86-64 Linux. Exits with 0 if this is still so, and with 1 if it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv ros
python3 -m venv cyclone
ros/bin/pip install -q ros-kilted-rclpy==9.1.2 ros-kilted-rmw-fastrtps-cpp ros-kilted-sensor-msgs ros-kilted-std-msgs \
    'numpy<2.3' 2>/dev/null
cyclone/bin/pip install -q cyclonedds==11.0.1 2>/dev/null
export ROS_DOMAIN_ID=83
echo "rclpy $(ros/bin/pip show ros-kilted-rclpy | sed -n 's/^Version: //p'), rmw_fastrtps_cpp" \
    "$(ros/bin/pip show ros-kilted-rmw-fastrtps-cpp | sed -n 's/^Version: //p')," \
    "cyclonedds $(cyclone/bin/pip show cyclonedds | sed -n 's/^Version: //p')"

cat > listen.py <<'PY'
import sys
import time

import rclpy
from sensor_msgs.msg import Image
from std_msgs.msg import String

rclpy.init()
node, heard = rclpy.create_node("listener"), {"String": 0, "Image": 0}
for kind in (String, Image):
    name = kind.__name__
    node.create_subscription(kind, name.lower(), lambda _, name=name: heard.update({name: heard[name] + 1}), 10)
end = time.monotonic() + 20
while time.monotonic() < end and not all(heard.values()):
    rclpy.spin_once(node, timeout_sec=0.1)
print(*(f"{name}:{'heard' if count else 'nothing'}" for name, count in heard.items()))
PY

cat > talk.py <<'PY'
import time
from dataclasses import dataclass

from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import int32, sequence, uint8, uint32
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.topic import Topic
from cyclonedds.util import duration


@dataclass
class String(IdlStruct, typename="std_msgs::msg::dds_::String_"):
    data: str


@dataclass
class Time(IdlStruct, typename="builtin_interfaces::msg::dds_::Time_"):
    sec: int32
    nanosec: uint32


@dataclass
class Header(IdlStruct, typename="std_msgs::msg::dds_::Header_"):
    stamp: Time
    frame_id: str


@dataclass
class Image(IdlStruct, typename="sensor_msgs::msg::dds_::Image_"):
    header: Header
    height: uint32
    width: uint32
    encoding: str
    is_bigendian: uint8
    step: uint32
    data: sequence[uint8]


participant = DomainParticipant(83)
qos = Qos(
    Policy.Reliability.Reliable(duration(seconds=1)),
    Policy.History.KeepLast(10),
    Policy.DataRepresentation(use_cdrv0_representation=True),
)
samples = {
    "rt/string": String("hello"),
    "rt/image": Image(Header(Time(1, 2), "camera"), 1, 2, "mono8", 0, 2, [3, 4]),
}
writers = {name: DataWriter(participant, Topic(participant, name, type(s)), qos=qos) for name, s in samples.items()}
while True:
    for name, writer in writers.items():
        writer.write(samples[name])
    time.sleep(0.1)
PY

try() {
    CYCLONEDDS_URI="$1" cyclone/bin/python talk.py > talk.log 2>&1 &
    local talker=$!
    ros/bin/python listen.py 2>/dev/null
    kill "$talker"
    wait "$talker" 2>/dev/null || true
}

plain=$(try "")
invalid=$(grep -c "invalid type object" talk.log || true)
without=$(try "<Compatibility><IgnoreTypeInformation>1.15</IgnoreTypeInformation></Compatibility>")
echo "as they are:                       $plain (Cyclone logged 'invalid type object' $invalid times)"
echo "with IgnoreTypeInformation 1.15:   $without"
[ "$plain" = "String:heard Image:nothing" ] && [ "$invalid" -gt 0 ] && [ "$without" = "String:heard Image:heard" ]
