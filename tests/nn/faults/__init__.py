"""What can go wrong with a checkpoint file and with a training, provoked many times.

Files are damaged, forged and written to full disks; trainings are killed, broken off by Ctrl-C and gone on with. Each
module is a command that counts; the tests run a sample of it.
"""
