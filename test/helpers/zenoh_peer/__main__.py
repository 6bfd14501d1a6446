import sys

from base_peer import listen

from .peer import Peer

listen(Peer(int(sys.argv[1])))
