// SPDX-License-Identifier: MIT
// Threads that take turns, an exception that crosses from one thread to another, thread-local data.
#include <atomic>
#include <condition_variable>
#include <future>
#include <iostream>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

constexpr int threads = 8, rounds = 50;
thread_local int mine = 3;

static int fail()
{
    mine++;
    throw std::runtime_error("thrown in a thread");
}

int main()
{
    std::vector<std::thread> all;
    std::condition_variable next;
    std::atomic<long> sum{0};
    std::mutex lock;
    int turn = 0;

    for (int i = 0; i < threads; i++)
        all.emplace_back([&, i] {
            for (int r = 0; r < rounds; r++) {
                std::unique_lock<std::mutex> held(lock);
                next.wait(held, [&] { return turn % threads == i; });
                turn++;
                sum += i;
                next.notify_all();
            }
        });
    for (auto &t : all)
        t.join();
    try {
        std::async(std::launch::async, fail).get();
    } catch (const std::exception &e) {
        std::cout << e.what() << "\n";
    }
    std::cout << turn << " turns, sum " << sum << ", mine " << mine << "\n";
}
