# Holds a listening socket as systemd does, and starts the command with it as descriptor 3, again whenever it ends in order.
# Prints the pid of each start. socket-holder.pl PORT COMMAND ARGUMENT...
use strict; use warnings; use Socket; use POSIX ();
$| = 1; $^F = 10;
my $port = shift @ARGV;
socket(my $held, PF_INET, SOCK_STREAM, 6) or die $!;
setsockopt($held, SOL_SOCKET, SO_REUSEADDR, 1);
bind($held, sockaddr_in($port, inet_aton('127.0.0.1'))) or die $!;
listen($held, 4096) or die $!;
my $child;
$SIG{TERM} = sub { kill 'TERM', $child if $child; waitpid($child, 0); exit 0 };
for (1 .. 5) {
  $child = fork // die $!;
  if ($child == 0) {
    $SIG{TERM} = 'DEFAULT';
    POSIX::dup2(fileno($held), 3) if fileno($held) != 3;
    @ENV{qw(LISTEN_PID LISTEN_FDS LISTEN_FDNAMES)} = ($$, 1, 'promgate.socket');
    exec @ARGV or die $!;
  }
  print "pid $child\n";
  waitpid($child, 0);
  exit($? >> 8) if $?;
}
